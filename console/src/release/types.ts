/** What the routes of reports, gates, releases, catalogue and subscriptions answer. */

export interface ReportHead {
  id: string;
  dataset: string;
  version: number;
  state: 'queued' | 'running' | 'ready' | 'failed' | 'cancelled';
  job: string;
  why: string;
  score: number | null;
  actor_name: string;
  created_at: string;
}

export interface Example {
  id: string;
  text: string;
  note: string;
}

export interface Measure {
  name: string;
  title: string;
  title_en: string;
  method: string;
  method_en: string;
  figure: number | null;
  unit: 'share' | 'ratio';
  of: number;
  score: number | null;
  n_bad: number;
  examples: Example[];
}

export interface Dimension {
  name: string;
  title: string;
  title_en: string;
  score: number | null;
  measures: Measure[];
}

export interface Point {
  name: string;
  count: number;
}

export interface Report {
  n_records: number;
  n_measured: number;
  sampled: boolean;
  made_at: string;
  score: number;
  dimensions: Dimension[];
  charts: Record<'sources' | 'lengths' | 'labels' | 'languages' | 'dates' | 'splits' | 'personal', Point[]>;
  words: { list: string; n: number };
  classifier: string | null;
  n_characters: number;
}

export interface ReportPageBody extends ReportHead {
  report: Report | null;
}

export interface SourceFault {
  key: string;
  uri: string;
  n_records?: number;
  n_personal?: number;
  n_sampled?: number;
  n_bad?: number;
}

export interface Rule {
  rule: string;
  title: string;
  title_en: string;
  asks: string;
  asks_en: string;
  found: string;
  found_en: string;
  clause: string;
  ok: boolean | null;
  n_bad: number;
  samples: string | null;
  sources: SourceFault[];
}

export interface Tally {
  n: number;
  judged: number;
  bad: number;
}

export interface GateHead {
  id: string;
  dataset: string;
  version: number;
  grade: string;
  n_records: number;
  purpose: string;
  state: string;
  job: string;
  why: string;
  maker: string;
  maker_name: string;
  actor_name: string;
  created_at: string;
  decided_at: string | null;
  decided_by_name: string;
  manual: Tally;
}

export interface Gate extends GateHead {
  spec: { sample: number; share: number; seed: number };
  n_auto: number;
  n_hits: number;
  hits: Tally;
  rules: Rule[];
  open: number;
  would_pass: boolean;
  judges: { judge: string; name: string; n: number; bad: number }[];
  /** What judges named, by the five kinds of risk of the standard's annex. */
  risk_groups: { group: string; title: string; title_en: string; n: number }[];
  not_checked: { clause: string; words: string; words_en: string }[];
}

export interface Sample {
  id: string;
  kind: 'manual' | 'hit';
  number: number;
  record: string;
  source: string;
  found: string;
  verdict: string;
  comment: string;
  judge_name: string;
  judged_at: string | null;
  text: string;
  cut: boolean;
  label: string;
}

export interface Claimed {
  items: Sample[];
  n: number;
  left: number;
  mine: number;
}

export interface Risk {
  code: string;
  group: string;
  group_title: string;
  group_title_en: string;
  title: string;
  title_en: string;
}

export interface Release {
  id: string;
  tenant: string;
  tenant_title: string;
  name: string;
  title: string;
  dataset: string;
  version: number;
  grade: string;
  kind: string;
  gate: string;
  n_records: number;
  n_bytes: number;
  manifest: string;
  state: string;
  reason: string;
  actor_name: string;
  created_at: string;
}

export interface Use {
  tenant_title?: string;
  actor_name: string;
  actor: string;
  what: string;
  purpose: string;
  used_at: string;
}

export interface ReleaseBody extends Release {
  card: Record<string, unknown>;
  signature: { manifest_sha256: string; manifest_sm3: string; signatures: { algorithm: string; key: string; signature: string }[] };
  uses: Use[];
}

export interface Key {
  id: string;
  kind: string;
  pem: string;
  state: string;
  created_at: string;
}

export interface Capsule {
  id: string;
  release: string;
  title: string;
  from_title: string;
  to_title: string;
  mine: boolean;
  suite: string;
  n_bytes: number;
  uses_most: number;
  uses: number;
  ends_at: string | null;
  state: string;
  reason: string;
  created_at: string;
}

export interface Offer {
  release: string;
  tenant_title: string;
  mine: boolean;
  title: string;
  summary: string;
  industry: string;
  grade: string;
  fields: { name: string; summary: string }[];
  sample: string[];
  price_note: string;
  everybody: boolean;
  state: string;
  name: string;
  kind: string;
  n_records: number;
  n_bytes: number;
  release_state: string;
  release_reason: string;
  released_at: string;
  tenants?: { id: string; title: string }[];
  subscription?: { id: string; state: string } | null;
}

export interface Subscription {
  id: string;
  release: string;
  title: string;
  owner_title: string;
  tenant_title: string;
  mine: boolean;
  purpose: string;
  state: string;
  uses_most: number;
  uses: number;
  ends_at: string | null;
  note: string;
  release_reason: string;
  actor_name: string;
  decided_by_name: string;
  created_at: string;
}

export interface Queued {
  id?: string;
  job: { id: string };
}
