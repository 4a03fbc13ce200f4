/** How an answer came about. */
import { tr } from '../shared/language';

export function methodWords(method: string): string {
  const words: Record<string, string> = {
    extract: tr('原文摘录', 'Quoted'),
    field: tr('指南栏目', 'Field of a guide'),
    faq: tr('常见问题', 'FAQ'),
    article: tr('法条查找', 'Article'),
    model: tr('模型归纳，逐句核对', 'Written by a model, each sentence checked'),
    refuse: tr('依据不足', 'Not supported'),
  };
  return words[method] ?? method;
}
