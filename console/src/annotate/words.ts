/** States and kinds of annotation as people call them. */
import { tr } from '../shared/language';
import type { Field, FieldKind, Label, Project } from './types';

export function projectStateWords(state: string): string {
  const words: Record<string, string> = {
    preparing: tr('准备中', 'Preparing'),
    open: tr('进行中', 'Open'),
    paused: tr('已暂停', 'Paused'),
    finished: tr('已结束', 'Finished'),
    failed: tr('准备失败', 'Failed'),
  };
  return words[state] ?? state;
}

export function projectStateTone(state: string): 'good' | 'bad' | 'wait' | 'plain' {
  if (state === 'open') return 'good';
  if (state === 'failed') return 'bad';
  return state === 'preparing' ? 'wait' : 'plain';
}

export function itemStateWords(state: string): string {
  const words: Record<string, string> = {
    open: tr('待标注', 'Open'),
    review: tr('待审核', 'To review'),
    disputed: tr('有分歧', 'Disputed'),
    final: tr('已定稿', 'Final'),
    unusable: tr('不可用', 'Unusable'),
    gold: tr('金标', 'Gold'),
    exam: tr('考题', 'Exam'),
  };
  return words[state] ?? state;
}

export function howWords(how: string): string {
  const words: Record<string, string> = {
    single: tr('一人标注', 'One person'),
    agreed: tr('多人一致', 'Agreed'),
    reviewed: tr('审核通过', 'Reviewed'),
    fixed: tr('审核修正', 'Fixed in review'),
    adjudicated: tr('裁定', 'Decided'),
  };
  return words[how] ?? how;
}

export function fieldKindWords(kind: FieldKind): string {
  const words: Record<FieldKind, string> = {
    choices: tr('选择标签', 'Choice'),
    spans: tr('划出片段', 'Spans'),
    boxes: tr('图上画框', 'Boxes'),
    text: tr('填写文字', 'Text'),
    rating: tr('打分', 'Rating'),
    number: tr('填写数字', 'Number'),
    preference: tr('二选一', 'Preference'),
    ranking: tr('排序', 'Ranking'),
  };
  return words[kind];
}

export interface FlatLabel extends Label {
  /** Its whole way, "a/b", as answers name it. */
  way: string;
  depth: number;
}

export function flat(labels: Label[] | undefined, above = '', depth = 0): FlatLabel[] {
  return (labels ?? []).flatMap((one) => {
    const way = above ? `${above}/${one.value}` : one.value;
    return [{ ...one, way, depth }, ...flat(one.children, way, depth + 1)];
  });
}

export function labelOf(field: Field, way: string): FlatLabel | undefined {
  return flat(field.labels).find((one) => one.way === way);
}

export function labelWords(field: Field, way: string): string {
  const label = labelOf(field, way);
  return label?.title || label?.value || way;
}

/** Share of the items that need nobody any more, 0 to 100. */
export function progress(project: Project): number {
  const all = project.n_items || 1;
  return Math.floor(((project.n_final + project.n_unusable) / all) * 100);
}

/** Kappa and alpha in words, after Landis and Koch 1977. */
export function agreementWords(value: number | null | undefined): string {
  if (value === null || value === undefined) return tr('暂无', 'None yet');
  if (value >= 0.8) return tr('几乎一致', 'Almost perfect');
  if (value >= 0.6) return tr('高度一致', 'Substantial');
  if (value >= 0.4) return tr('中等', 'Moderate');
  if (value >= 0.2) return tr('偏低', 'Fair');
  return tr('很低', 'Slight');
}

export function figure(value: number | null | undefined): string {
  return value === null || value === undefined ? '—' : value.toFixed(3);
}
