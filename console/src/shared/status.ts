/** Words, symbols and classes for what is stored as a code: validity, kinds, levels, access. */
import type { Status } from './api';
import { tr } from './language';

export interface Sign {
  words: string;
  symbol: string;
  tone: 'good' | 'bad' | 'wait' | 'plain';
}

/** Validity is told by words, by colour and by a symbol, for those who do not see colours. */
export function statusSign(status: Status | string | undefined): Sign {
  switch (status) {
    case 'in_force':
      return { words: tr('现行有效', 'In force'), symbol: '✓', tone: 'good' };
    case 'not_yet':
      return { words: tr('尚未施行', 'Not yet in force'), symbol: '◷', tone: 'wait' };
    case 'expired':
      return { words: tr('已失效', 'No longer in force'), symbol: '✕', tone: 'bad' };
    case 'superseded':
      return { words: tr('已被替代', 'Superseded'), symbol: '↷', tone: 'bad' };
    default:
      return { words: status ?? '', symbol: '·', tone: 'plain' };
  }
}

export const STATUSES: Status[] = ['in_force', 'not_yet', 'expired', 'superseded'];
export const KINDS = ['law', 'policy', 'guide', 'faq', 'notice', 'text', 'table'] as const;
export const ACCESSES = ['public', 'staff', 'department', 'restricted'] as const;

export function kindWords(kind: string): string {
  const words: Record<string, string> = {
    law: tr('法规规章', 'Law or rule'),
    policy: tr('政策文件', 'Policy'),
    guide: tr('办事指南', 'Service guide'),
    faq: tr('常见问题', 'FAQ'),
    notice: tr('通知公告', 'Notice'),
    text: tr('一般文本', 'Text'),
    table: tr('表格', 'Table'),
  };
  return words[kind] ?? kind;
}

export function accessWords(access: string): string {
  const words: Record<string, string> = {
    public: tr('公开', 'Public'),
    staff: tr('工作人员', 'Staff'),
    department: tr('本部门', 'Own department'),
    restricted: tr('受限', 'Restricted'),
  };
  return words[access] ?? access;
}

export function levelWords(level: number): string {
  const words: Record<number, string> = {
    9: tr('宪法', 'Constitution'),
    8: tr('法律', 'Law'),
    7: tr('行政法规', 'Administrative regulation'),
    6: tr('司法解释', 'Judicial interpretation'),
    5: tr('部门规章', 'Department rule'),
    4: tr('地方性法规', 'Local regulation'),
    3: tr('地方政府规章', 'Local government rule'),
    2: tr('规范性文件', 'Normative document'),
    1: tr('案例', 'Case'),
    0: tr('其他', 'Other'),
  };
  return words[level] ?? String(level);
}

/** A title as it is cited: in Chinese title marks, once. */
export function cited(title: string): string {
  return title.startsWith('《') ? title : `《${title}》`;
}

/** "2024-05-01" as people write it: 2024年5月1日. */
export function dayWords(day: string | null | undefined): string {
  const parts = /^(\d{4})-(\d{2})-(\d{2})/.exec(day ?? '');
  if (!parts) return '';
  const [, year = '', month = '', date = ''] = parts;
  return tr(`${year}年${Number(month)}月${Number(date)}日`, `${year}-${month}-${date}`);
}

/** The link that opens a citation at the place, with the exact words marked. */
export function placeLink(
  hit: { version_id: string; passage_id: string },
  words?: { start: number; len: number },
): string {
  const range = words ? `&start=${words.start}&len=${words.len}` : '';
  return `/doc/${encodeURIComponent(hit.version_id)}?passage=${encodeURIComponent(hit.passage_id)}${range}`;
}
