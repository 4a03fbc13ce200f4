/** How an answer came about. */
import type { Answer } from '../shared/api';
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

/** What became of a written answer's sentences. */
export function writtenWords(answer: Answer): string {
  const written = answer.written;
  if (!written) return '';
  const kept = written.n_sentences - written.n_struck;
  return written.n_struck > 0
    ? tr(
        `逐句核对原文：保留 ${kept} 句，${written.n_struck} 句没有依据，已删去`,
        `Each sentence checked: ${kept} kept, ${written.n_struck} struck out for lack of support`,
      )
    : tr(`逐句核对原文：${kept} 句都有依据`, `Each sentence checked: all ${kept} stand in the text`);
}
