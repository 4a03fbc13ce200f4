/** What is about to happen to a document, in words. */
import type { Expiring } from '../shared/api';
import { tr } from '../shared/language';

export function changeWords(one: Expiring): string {
  const words = {
    begins: tr('起施行', 'takes effect'),
    ends: tr('起失效', 'ends'),
    superseded: tr('起被新文件替代', 'is superseded'),
  };
  const left = one.days > 0 ? tr(`（还有 ${one.days} 天）`, ` (in ${one.days} days)`) : '';
  return `${one.day} ${words[one.reason]}${left}`;
}
