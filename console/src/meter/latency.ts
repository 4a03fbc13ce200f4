/** The shape of /api/latency, and percentiles in words. */
import { tr } from '../shared/language';
import { count } from '../shared/words';

/** Null where nothing was measured: only streams have a first token. */
export interface Percentiles {
  n: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface LatencyRow {
  at: string | null;
  tenant?: string;
  model?: string;
  application?: string;
  first: Percentiles;
  between: Percentiles;
  whole: Percentiles;
}

export interface Latency {
  from_at: string;
  to_at: string;
  items: LatencyRow[];
}

export const SHARES = ['p50_ms', 'p95_ms', 'p99_ms'] as const;
export type Share = (typeof SHARES)[number];
export type Span = 'first' | 'between' | 'whole';

export function spanWords(span: Span): string {
  return { first: tr('首字', 'First token'), between: tr('字间', 'Between tokens'), whole: tr('整次', 'Whole call') }[span];
}

/** Milliseconds with as many digits as mean something; seconds from ten on. */
export function msWords(ms: number | null): string {
  if (ms === null) return '—';
  if (ms >= 10_000) return tr(`${(ms / 1000).toFixed(1)} 秒`, `${(ms / 1000).toFixed(1)} s`);
  const digits = ms < 10 ? 1 : 0;
  return tr(`${ms < 1000 ? ms.toFixed(digits) : count(Math.round(ms))} 毫秒`, `${ms < 1000 ? ms.toFixed(digits) : count(Math.round(ms))} ms`);
}

/** One value a step for each share; null where nothing was called, which a chart leaves open. */
export function linesOf(rows: LatencyRow[], steps: number, fromAt: string, hours: boolean, span: Span): Record<Share, (number | null)[]> {
  const from = new Date(fromAt).getTime();
  const step = (hours ? 1 : 24) * 3_600_000;
  const out = { p50_ms: new Array<number | null>(steps).fill(null), p95_ms: new Array<number | null>(steps).fill(null), p99_ms: new Array<number | null>(steps).fill(null) };
  for (const row of rows) {
    const at = row.at ? Math.round((new Date(row.at).getTime() - from) / step) : -1;
    if (at < 0 || at >= steps) continue;
    for (const share of SHARES) out[share][at] = row[span][share];
  }
  return out;
}
