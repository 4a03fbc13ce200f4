/** The figures of an evaluation in words; one that is not known here is shown by its own name. */
import { tr } from '../shared/language';
import { count, percent } from '../shared/words';

export function metricWords(name: string): string {
  const words: Record<string, string> = {
    n: tr('题数', 'Questions'),
    n_gold: tr('该答的题', 'To be answered'),
    n_refuse: tr('该拒的题', 'To be refused'),
    'hit@1': tr('首条命中率', 'Hit at 1'),
    mean_ms: tr('检索平均用时', 'Mean search time'),
    ask_p50_ms: tr('答复用时中位数', 'Median time of an answer'),
    ask_p95_ms: tr('答复用时 95 分位', '95th percentile of an answer'),
    'recall@1': tr('首条查全率', 'Recall at 1'),
    'recall@5': tr('前 5 条查全率', 'Recall at 5'),
    'recall@10': tr('前 10 条查全率', 'Recall at 10'),
    'hit@10': tr('前 10 条命中率', 'Hit at 10'),
    'mrr@10': tr('平均倒数排名', 'MRR at 10'),
    refusal_precision: tr('拒答准确率', 'Refusal precision'),
    refusal_recall: tr('该拒能拒率', 'Refusal recall'),
    answered_rate: tr('该答能答率', 'Answered'),
    answer_accuracy: tr('答案含要点率', 'Expected facts quoted'),
    record_accuracy: tr('引用文件准确率', 'Right document quoted'),
    field_accuracy: tr('引用字段准确率', 'Right field quoted'),
    'followup_hit@10': tr('追问前 10 条命中率', 'Follow-ups: hit at 10'),
    followup_answered_rate: tr('追问能答率', 'Follow-ups answered'),
    followup_accuracy: tr('追问答案含要点率', 'Follow-ups: expected facts'),
    p50_ms: tr('检索用时中位数', 'Median time'),
    p95_ms: tr('检索用时 95 分位', '95th percentile'),
  };
  return words[name] ?? name;
}

export function metricValue(name: string, value: number): string {
  if (name === 'n' || name.startsWith('n_')) return count(value);
  if (name.endsWith('_ms')) return tr(`${value.toFixed(1)} 毫秒`, `${value.toFixed(1)} ms`);
  if (name.endsWith('_us')) return tr(`${(value / 1000).toFixed(1)} 毫秒`, `${(value / 1000).toFixed(1)} ms`);
  if (name.startsWith('mrr')) return value.toFixed(3);
  return value <= 1 ? percent(value) : String(value);
}

export function numbersOf(metrics: Record<string, unknown> | null | undefined): [string, number][] {
  return Object.entries(metrics ?? {}).flatMap(([name, value]): [string, number][] =>
    typeof value === 'number' ? [[name, value]] : [],
  );
}
