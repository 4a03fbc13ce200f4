/** Money and kinds as people write them. */
import { language, tr } from '../shared/language';
import { count } from '../shared/words';

export const MICRO = 1_000_000;

/** Exact: from two to six decimals, as many as are needed. */
export function yuan(micro: number | null | undefined): string {
  if (micro === null || micro === undefined) return '—';
  const whole = Math.floor(micro / MICRO);
  const rest = String(micro - whole * MICRO).padStart(6, '0').replace(/0{1,4}$/, '');
  return `¥${whole.toLocaleString('zh-CN')}.${rest}`;
}

/** What was typed in yuan; null for nothing or no number. */
export function micro(yuanTyped: number | null | undefined): number | null {
  return yuanTyped === null || yuanTyped === undefined || Number.isNaN(yuanTyped) ? null : Math.round(yuanTyped * MICRO);
}

/** Large counts in few letters: 20.0 万, 1.23 亿; 200 K, 1.23 M in English. */
export function brief(n: number): string {
  if (n < 100_000) return count(n);
  if (language() === 'en') return n < 1_000_000 ? `${(n / 1000).toFixed(0)} K` : `${(n / 1_000_000).toFixed(2)} M`;
  return n < 100_000_000 ? `${(n / 10_000).toFixed(1)} 万` : `${(n / 100_000_000).toFixed(2)} 亿`;
}

export function kindWords(kind: string): string {
  const words: Record<string, string> = {
    chat: tr('对话', 'Chat'),
    embeddings: tr('向量', 'Embeddings'),
    rerank: tr('重排', 'Rerank'),
    image: tr('图片', 'Images'),
    audio: tr('语音', 'Audio'),
    cached: tr('缓存应答', 'Cached answers'),
  };
  return words[kind] ?? kind;
}

export function levelWords(level: string): string {
  const words: Record<string, string> = {
    tenant: tr('租户', 'Tenant'),
    application: tr('应用', 'Application'),
    key: tr('密钥或用户', 'Key or user'),
  };
  return words[level] ?? level;
}
