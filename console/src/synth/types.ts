/** The shapes of room synth, as /api/syntheses speaks them. */
import type { DataRecord, RecordKind } from '../data/types';

export interface Method {
  name: string;
  title: string;
  title_zh: string;
  summary: string;
  summary_zh: string;
  takes: RecordKind[];
  gives: RecordKind;
  with_model: boolean;
}

export interface Estimate {
  n_records: number;
  n_sampled: number;
  n_passages: number;
  n_calls: number;
  prompt_tokens: number;
  completion_tokens: number;
  tokens: number;
  /** Millionths of the currency; null when the model has no price. */
  cost_micro: number | null;
  currency: string;
  within_budget: boolean;
  examples: DataRecord[];
}

export interface SynthesisResult {
  dataset: string;
  made: boolean;
  version: string;
  number: number;
  n_records: number;
  n_new: number;
  n_passages: number;
  n_calls: number;
  prompt_tokens: number;
  completion_tokens: number;
  n_rejected: number;
  rejected: Record<string, number>;
  stopped: string;
}
