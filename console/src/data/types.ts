/** The shapes of room data, as /api/datasets and its sisters speak them. */

export type RecordKind = 'text' | 'chat' | 'preference' | 'classification' | 'spans' | 'qa' | 'caption' | 'row';

export interface Card {
  source?: string;
  licence?: string;
  owner?: string;
  industry?: string;
  grade?: string;
  language?: string;
  limits?: string;
  description?: string;
  [other: string]: unknown;
}

export interface Dataset {
  id: string;
  name: string;
  title: string;
  kind: RecordKind;
  access: string;
  latest: number;
  revision: number;
  n_records: number;
  n_bytes: number;
  state: 'empty' | 'ready' | 'withdrawn';
  created_at: string | null;
  card: Card | null;
}

export interface Version {
  id: string;
  dataset: string;
  number: number;
  kind: RecordKind;
  state: 'ready' | 'withdrawn';
  manifest: string;
  run: string;
  n_records: number;
  n_bytes: number;
  actor: string;
  created_at: string | null;
}

export interface DatasetWithVersions extends Dataset {
  versions: Version[];
}

export interface StepCount {
  op: string;
  op_version?: number;
  in: number;
  out: number;
  changed: number;
  made: number;
  dropped: number;
  failed: number;
}

export interface Spec {
  name?: string;
  note?: string;
  input?: SpecInput;
  inputs?: SpecInput[];
  /** Compared with, never put out. */
  references?: SpecInput[];
  output?: { dataset?: string; title?: string; card?: Card };
  seed?: number;
  steps?: SpecStep[];
}
export interface SpecInput {
  dataset: string;
  version?: number;
}
export interface SpecStep {
  op: string;
  on?: string[];
  [param: string]: unknown;
}

export interface VersionPage extends Version {
  schema: Record<string, Record<string, number>>;
  splits: Record<string, number>;
  n_sources: number;
  card: Card | null;
  made_by?: string;
  spec?: Spec | null;
  counts?: RunResult | null;
}

/** The result of a job that made a version. */
export interface RunResult {
  dataset: string;
  version?: string;
  number?: number;
  kind: RecordKind;
  n_records: number;
  n_bytes: number;
  n_files?: number;
  n_quarantined?: number;
  n_failed?: number;
  failures?: { path: string; why: string }[];
  n_unreadable?: number;
  steps?: StepCount[];
  /** Of a synthesis. */
  n_new?: number;
  n_calls?: number;
  n_rejected?: number;
  stopped?: string;
}

export interface Profile {
  n_records: number;
  n_bytes: number;
  n_sampled: number;
  whole: boolean;
  n_characters: number;
  n_tokens: number;
  characters: { mean: number; p10: number; p50: number; p90: number; most: number };
  lengths: { from: number; to: number | null; n: number }[];
  languages: Record<string, number>;
  languages_by: string;
  labels: Record<string, number>;
  splits: Record<string, number>;
  licences: Record<string, number>;
  industries: Record<string, number>;
  n_sources: number;
  sources: { id: string; uri: string; n_records: number; state: string }[];
}

/** A line of a data set: what it holds depends on its kind. */
export type DataRecord = Record<string, unknown> & { id: string };

export interface Records {
  version: number;
  n_records: number;
  items: DataRecord[];
  next: number | null;
}

export interface Source {
  id: string;
  uri: string;
  sha256: string;
  n_bytes: number;
  collection: Record<string, unknown> | null;
  state: 'active' | 'withdrawn';
  reason: string;
  created_at: string | null;
  withdrawn_at: string | null;
}

export interface RecordPage {
  record: DataRecord | null;
  ended: { dropped?: number; failed?: number; why?: string } | null;
  history: { dataset: string; number: number; run: string; made_by: string; id: string; changed_by: SpecStep[]; made_from?: string }[];
  source: Source | null;
}

export type What = 'changed' | 'made' | 'dropped' | 'failed';

export interface StepEvent {
  step: number;
  op: string;
  what: What;
  id: string;
  before: string;
  after: string;
  why: string;
}

export interface Replay {
  input: { dataset: string; number: number; id: string };
  record: DataRecord;
  steps: StepEvent[];
  whole: number[];
  cut: boolean;
}

export interface VersionDiff {
  a: number;
  b: number;
  n_same: number;
  n_added: number;
  n_removed: number;
  n_changed: number;
  added: { b: DataRecord }[];
  removed: { a: DataRecord }[];
  changed: { a: DataRecord; b: DataRecord }[];
}

export interface Ended {
  items: { id: string; step: number; what: 'dropped' | 'failed'; why: string }[];
  next: number | null;
  reasons: { what: 'dropped' | 'failed'; step: number; why: string; n: number }[];
}

export interface Param {
  name: string;
  kind: 'number' | 'integer' | 'flag' | 'choice' | 'string' | 'strings';
  least?: number;
  most?: number;
  default?: unknown;
  choices?: string[];
  required?: boolean;
  unit: string;
  summary: string;
  summary_zh: string;
}

export interface Operator {
  name: string;
  version: number;
  group: string;
  effect: 'text' | 'measure' | 'record' | 'whole';
  summary: string;
  summary_zh: string;
  source: string;
  takes: RecordKind[];
  gives: string;
  params: Param[];
}

export interface SavedPipeline {
  id: string;
  name: string;
  note: string;
  revision: number;
  actor: string;
  actor_name: string;
  created_at: string | null;
  updated_at: string | null;
  n_steps: number;
  output: string;
  inputs: string[];
  spec?: Spec;
}

export interface SpecCheck {
  ok: boolean;
  takes: RecordKind;
  gives: RecordKind;
  n_inputs: number;
  steps: { op: string; effect: string; takes: RecordKind; gives: RecordKind }[];
}

export interface DryRun {
  n_sampled: number;
  n_records: number;
  steps: (StepCount & { ms?: number; examples: { id: string; what: What; before: string; after: string; why: string }[] })[];
  records: DataRecord[];
}

export interface LineageNode {
  kind: string;
  id: string;
  title: string;
  number?: number;
  state: string;
  /** Of "answers": how many, and when the first and the last of them. */
  n?: number;
  first_at?: string;
  last_at?: string;
}

export interface LineageGraph {
  nodes: LineageNode[];
  edges: { from: string; to: string; n_records?: number }[];
  cut: boolean;
}

export interface Withdrawal {
  source: string;
  uri: string;
  withdrawn: boolean;
  versions: { id: string; dataset: string; number: number; n_records: number }[];
  others: { kind: string; id: string; n?: number; first_at?: string; last_at?: string }[];
  n_models: number;
  n_answers: number;
}

export interface MixPreview {
  by: string;
  kind: RecordKind;
  total: number;
  limited_by: string | null;
  estimated: boolean;
  n_records: number;
  n_characters: number;
  n_tokens: number;
  inputs: { dataset: string; title: string; number: number; state: string; weight: number; share: number; size: number; taken: number; n_records: number; times: number }[];
  languages: Record<string, number>;
  licences: Record<string, number>;
  industries: Record<string, number>;
  grades: Record<string, number>;
}
