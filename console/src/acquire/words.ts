import { language, tr } from '../shared/language';
import type { CollectorKind, CollectorParam } from './types';

export const kindTitle = (kind: CollectorKind | undefined): string => (kind ? (language() === 'en' ? kind.title : kind.title_zh || kind.title) : '');
export const about = (of: CollectorKind | CollectorParam): string => (language() === 'en' ? of.summary : of.summary_zh || of.summary);

export function scheduleWords(schedule: string): string {
  const every = /^(\d+)(m|h|d)$/.exec(schedule);
  if (!schedule) return tr('只手动运行', 'By hand only');
  if (!every) return tr(`按日程 ${schedule}`, `At ${schedule}`);
  const unit = { m: tr('分钟', 'minutes'), h: tr('小时', 'hours'), d: tr('天', 'days') }[every[2] ?? ''] ?? '';
  return tr(`每 ${every[1]} ${unit}`, `Every ${every[1]} ${unit}`);
}
