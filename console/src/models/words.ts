/** What the model centre's codes are called. */
import { tr } from '../shared/language';
import { size as sized } from '../shared/words';

export const KINDS = ['base', 'industry', 'scene'] as const;
export const MODALITIES = ['chat', 'completion', 'embedding', 'rerank', 'vision', 'speech'] as const;

export function kindWords(kind: string): string {
  const words: Record<string, string> = {
    base: tr('基础模型', 'Base model'),
    industry: tr('行业模型', 'Industry model'),
    scene: tr('场景模型', 'Scene model'),
  };
  return words[kind] ?? kind;
}

export function modalityWords(modality: string): string {
  const words: Record<string, string> = {
    chat: tr('对话', 'Chat'),
    completion: tr('续写', 'Completion'),
    embedding: tr('向量', 'Embedding'),
    rerank: tr('重排', 'Rerank'),
    vision: tr('视觉', 'Vision'),
    speech: tr('语音', 'Speech'),
  };
  return words[modality] ?? modality;
}

export function stateWords(state: string): string {
  const words: Record<string, string> = {
    ready: tr('可用', 'Ready'),
    starting: tr('启动中', 'Starting'),
    draining: tr('收尾中', 'Draining'),
    stopped: tr('已停止', 'Stopped'),
    failed: tr('失败', 'Failed'),
    damaged: tr('文件损坏', 'Damaged'),
    retired: tr('已退役', 'Retired'),
    new: tr('待接入', 'Waiting'),
    active: tr('在线', 'Online'),
    lost: tr('失联', 'Lost'),
    left: tr('已离开', 'Left'),
  };
  return words[state] ?? state;
}

export function stateTone(state: string): 'good' | 'bad' | 'wait' | 'plain' {
  if (state === 'ready' || state === 'active') return 'good';
  if (state === 'failed' || state === 'damaged' || state === 'lost') return 'bad';
  return state === 'starting' || state === 'draining' ? 'wait' : 'plain';
}

export function size(bytes: number): string {
  return bytes ? sized(bytes) : '—';
}

/** 494,032,768 parameters as people say them. */
export function parameters(n: number): string {
  if (!n) return '—';
  if (n >= 1e9) return `${(n / 1e9).toFixed(1)}B`;
  return n >= 1e6 ? `${Math.round(n / 1e6)}M` : `${Math.round(n / 1e3)}K`;
}
