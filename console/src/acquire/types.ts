/** The shapes of room acquire, as /api/collectors speaks them. */
import type { DataRecord, RecordKind } from '../data/types';

export interface CollectorParam {
  name: string;
  kind: 'text' | 'integer' | 'flag' | 'choice' | 'list' | 'object' | 'secret';
  required?: boolean;
  least?: number;
  most?: number;
  default?: unknown;
  choices?: string[];
  unit: string;
  summary: string;
  summary_zh: string;
}

export interface CollectorKind {
  name: string;
  title: string;
  title_zh: string;
  summary: string;
  summary_zh: string;
  records: RecordKind[];
  params: CollectorParam[];
}

export interface CollectorRun {
  job: string;
  number: number;
  by: string;
  by_name: string;
  state: string;
  why: string;
  phase: string;
  done: number;
  total: number;
  began_at: string | null;
  ended_at: string | null;
  made: boolean;
  dataset: string;
  version_number: number;
  n_records: number;
  n_new: number;
  n_changed: number;
  n_same: number;
  n_dropped: number;
  n_bad: number;
}

export interface Collection {
  licence: string;
  authority: string;
  owner: string;
  industry: string;
  grade: string;
  consent: boolean;
  note: string;
}

export interface Collector {
  id: string;
  name: string;
  title: string;
  kind: string;
  dataset: string;
  dataset_title: string;
  record_kind: RecordKind;
  access: string;
  settings: Record<string, unknown>;
  secrets: string[];
  map: Record<string, string>;
  collection: Partial<Collection>;
  schedule: string;
  enabled: boolean;
  owner_name: string;
  next_at: string | null;
  why: string;
  revision: number;
  created_at: string | null;
  changed_at: string | null;
  last: CollectorRun | null;
}

/** What a trial read; nothing of it is kept. */
export interface Trial {
  records: DataRecord[];
  sources: { uri: string }[];
  n_bad: number;
  bad: { item: string; why: string }[];
  log?: string[];
}
