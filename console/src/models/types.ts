/** The shapes of room models, as /api/models and its sisters speak them. */

export interface Version {
  id: string;
  model: string;
  label: string;
  number: number;
  storage: 'object' | 'file' | 'endpoint';
  file: string;
  bytes: number;
  sha256: string;
  sm3: string;
  architecture: string;
  parameters: number;
  context: number;
  embedding: number;
  quantisation: string;
  vocabulary: boolean;
  chat_template: boolean;
  tokenizer: string;
  evaluations: { suite: string; metric: string; value: number; at?: string; note?: string }[];
  lineage: { data_releases?: string[]; training_runs?: string[]; base?: string };
  notes: string;
  state: 'ready' | 'damaged' | 'retired';
  why: string;
  verified_at: string | null;
  created_at: string | null;
  revision: number;
}

export interface Model {
  id: string;
  name: string;
  title: string;
  kind: string;
  modality: string;
  industry: string;
  licence: string;
  source: string;
  filing: string;
  description: string;
  grants: string[];
  price_key: string;
  retired_at: string | null;
  retired_why: string;
  changed_at: string | null;
  revision: number;
  versions: Version[];
}

export interface Target {
  model: string;
  weight?: number;
}

export interface Policy {
  title?: string;
  targets?: Target[];
  arms?: { name: string; share: number; targets: Target[] }[];
  fallbacks?: string[];
  cache?: { on: boolean; ttl_s: number };
  sticky?: boolean;
  maintenance?: { on: boolean; words: string };
  price_key?: string;
  grants?: string[];
}

export interface Alias {
  id: string;
  name: string;
  policy: Policy;
  revision: number;
  changed_at: string | null;
}

export interface AliasChange {
  number: number;
  policy: Policy;
  action: string;
  actor_name: string;
  at: string;
}

export interface Probe {
  ok: boolean;
  found: boolean;
  called: boolean;
  status: number;
  ms: number;
  words: string;
  models: string[];
}

export interface Endpoint {
  id: string;
  name: string;
  model: string;
  version: string;
  provider: string;
  base_url: string;
  upstream_model: string;
  weight: number;
  max_busy: number;
  disabled: boolean;
  api_key_hint: string;
  tested_at: string | null;
  tested: Probe | null;
  health: { busy: number; calls: number; failures: number; failures_in_row: number; first_ms: number } | null;
  revision: number;
}

export interface Replica {
  id: string;
  number: number;
  state: string;
  why: string;
  threads: number;
  context: number;
  slots: number;
  restarts: number;
  rss_bytes: number;
  busy: number;
  calls: number;
  failures: number;
  first_ms: number;
}

export interface Deployment {
  id: string;
  name: string;
  version: string;
  replicas: number;
  threads: number;
  memory_bytes: number;
  context: number;
  slots: number;
  kv_type: string;
  queue: number;
  on_demand: boolean;
  idle_ms: number;
  wanted: string;
  state: string;
  why: string;
  replicas_now: Replica[];
  revision: number;
}

export interface Edge {
  id: string;
  name: string;
  model: string;
  state: string;
  base_url: string;
  disabled: boolean;
  seen_at: string | null;
  token?: string;
  revision: number;
}
