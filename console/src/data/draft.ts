/** A pipeline while it is edited: what the form holds, and the spec that the server reads. */
import { tr } from '../shared/language';
import type { Card, Operator, Param, Spec, SpecStep } from './types';
import { unitWords } from './words';

export interface DraftStep {
  key: number;
  op: string;
  /** Paths of the texts that it works on, one a line; empty: the usual ones of the kind. */
  on: string;
  values: Record<string, unknown>;
}

export interface Draft {
  name: string;
  note: string;
  inputs: { dataset: string; version: number }[];
  references: { dataset: string; version: number }[];
  output: { dataset: string; title: string; card: Card | null };
  seed: number;
  steps: DraftStep[];
}

let keys = 0;

export function freshStep(op: string): DraftStep {
  return { key: ++keys, op, on: '', values: {} };
}

export function emptyDraft(): Draft {
  return { name: '', note: '', inputs: [], references: [], output: { dataset: '', title: '', card: null }, seed: 0, steps: [] };
}

export function fromSpec(spec: Spec): Draft {
  const inputs = spec.inputs ?? (spec.input ? [spec.input] : []);
  return {
    name: spec.name ?? '',
    note: spec.note ?? '',
    inputs: inputs.map((one) => ({ dataset: one.dataset ?? '', version: one.version ?? 0 })),
    references: (spec.references ?? []).map((one) => ({ dataset: one.dataset ?? '', version: one.version ?? 0 })),
    output: { dataset: spec.output?.dataset ?? '', title: spec.output?.title ?? '', card: spec.output?.card ?? null },
    seed: spec.seed ?? 0,
    steps: (spec.steps ?? []).map((step) => {
      const { op, on, ...values } = step;
      return { ...freshStep(String(op ?? '')), on: Array.isArray(on) ? on.join('\n') : '', values };
    }),
  };
}

export function toSpec(draft: Draft): Spec {
  const named = (list: Draft['inputs']) => list.filter((one) => one.dataset).map((one) => (one.version ? { dataset: one.dataset, version: one.version } : { dataset: one.dataset }));
  const inputs = named(draft.inputs);
  const references = named(draft.references);
  const [first] = inputs;
  const steps = draft.steps.map((step) => {
    const on = step.on.split('\n').map((path) => path.trim()).filter((path) => path);
    return { op: step.op, ...(on.length ? { on } : {}), ...step.values } as SpecStep;
  });
  return {
    ...(draft.name ? { name: draft.name } : {}),
    ...(draft.note ? { note: draft.note } : {}),
    ...(inputs.length === 1 && first ? { input: first } : { inputs }),
    ...(references.length ? { references } : {}),
    output: { dataset: draft.output.dataset, ...(draft.output.title ? { title: draft.output.title } : {}), ...(draft.output.card ? { card: draft.output.card } : {}) },
    ...(draft.seed ? { seed: draft.seed } : {}),
    steps,
  };
}

/** Why this value will not do, or '' when it will. The server checks again. */
export function refuse(param: Param, value: unknown): string {
  if (value === undefined) return param.required ? tr('必须填写', 'must be given') : '';
  if (param.kind === 'number' || param.kind === 'integer') {
    const limits = tr(`应在 ${param.least} 到 ${param.most} 之间`, `from ${param.least} to ${param.most}`) + ` ${unitWords(param.unit)}`;
    if (typeof value !== 'number' || !Number.isFinite(value)) return tr('不是数字', 'not a number');
    if (value < (param.least ?? -Infinity) || value > (param.most ?? Infinity)) return limits;
    return param.kind === 'integer' && !Number.isInteger(value) ? tr('应为整数', 'a whole number') : '';
  }
  if (param.kind === 'choice') return (param.choices ?? []).includes(String(value)) ? '' : tr('没有这个选项', 'no such choice');
  if (param.kind === 'string') return param.most && new TextEncoder().encode(String(value)).length > param.most ? tr(`最多 ${param.most} 字节`, `at most ${param.most} bytes`) : '';
  if (param.kind === 'strings') return param.most && (value as unknown[]).length > param.most ? tr(`最多 ${param.most} 项`, `at most ${param.most}`) : '';
  return '';
}

/** What is wrong with a step's parameters, by name. */
export function faults(op: Operator | undefined, step: DraftStep): Record<string, string> {
  const out: Record<string, string> = {};
  for (const param of op?.params ?? []) {
    const why = refuse(param, step.values[param.name]);
    if (why) out[param.name] = why;
  }
  return out;
}

/** "0 – 1，默认 0.5" */
export function limitsWords(param: Param): string {
  const unit = unitWords(param.unit);
  const parts: string[] = [];
  if (param.least !== undefined && param.most !== undefined && (param.kind === 'number' || param.kind === 'integer'))
    parts.push(param.most >= 1e9 ? tr(`不小于 ${param.least}`, `at least ${param.least}`) : `${param.least} – ${param.most}`);
  if (unit) parts.push(unit);
  const given = Array.isArray(param.default) ? param.default.join('、') : param.default;
  if (typeof given === 'number' && given >= 1e9) parts.push(tr('默认不限', 'no limit by default'));
  else if (given !== undefined && given !== null && given !== '') parts.push(tr(`默认 ${param.kind === 'flag' ? (given ? '是' : '否') : given}`, `default ${given}`));
  return parts.join(' · ');
}
