/** From rows by time and group to what a chart stacks. Pure. */
import type { UsageRow } from './shapes';

export type By = 'model' | 'application' | 'key' | 'kind' | 'tenant';
export type Measure = 'money' | 'tokens' | 'calls';

const MOST_SERIES = 7; /* the rest is one series more */

export interface Series {
  name: string;
  values: number[];
}

export function groupOf(row: UsageRow, by: By): string {
  return (by === 'key' ? row.actor_name || row.key : row[by]) ?? '';
}

export function measured(row: UsageRow, measure: Measure): number {
  if (measure === 'money') return row.money_micro / 1_000_000;
  return measure === 'calls' ? row.calls : row.prompt_tokens + row.completion_tokens;
}

/** Every step from the first to the last moment, also those in which nothing was used. */
export function stepsBetween(fromAt: string, toAt: string, hours: boolean): string[] {
  const two = (n: number) => String(n).padStart(2, '0');
  const out: string[] = [];
  const step = (hours ? 1 : 24) * 3_600_000;
  for (let at = new Date(fromAt).getTime(); at < new Date(toAt).getTime(); at += step) {
    const d = new Date(at);
    out.push(hours ? `${two(d.getHours())}:00` : `${two(d.getMonth() + 1)}-${two(d.getDate())}`);
  }
  return out;
}

/** The largest groups, each with a value for every step; `rest` names the sum of the others. */
export function seriesOf(rows: UsageRow[], steps: number, fromAt: string, hours: boolean, by: By, measure: Measure, rest: string): Series[] {
  const from = new Date(fromAt).getTime();
  const step = (hours ? 1 : 24) * 3_600_000;
  const groups = new Map<string, { sum: number; values: number[] }>();
  for (const row of rows) {
    const at = row.at ? Math.round((new Date(row.at).getTime() - from) / step) : -1;
    if (at < 0 || at >= steps) continue;
    const name = groupOf(row, by);
    const group = groups.get(name) ?? { sum: 0, values: new Array<number>(steps).fill(0) };
    const value = measured(row, measure);
    group.sum += value;
    group.values[at] = (group.values[at] ?? 0) + value;
    groups.set(name, group);
  }
  const sorted = [...groups].sort((a, b) => b[1].sum - a[1].sum);
  const shown = sorted.slice(0, MOST_SERIES).map(([name, group]) => ({ name, values: group.values }));
  const others = sorted.slice(MOST_SERIES);
  if (others.length) shown.push({ name: rest, values: others.reduce((sum, [, g]) => sum.map((v, i) => v + (g.values[i] ?? 0)), new Array<number>(steps).fill(0)) });
  return shown;
}
