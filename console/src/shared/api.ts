/** The shapes that the server speaks, in one place. Names as in /api/openapi.json. */

export interface Page<T> {
  items: T[];
  next?: string | null;
}

/* ---- ops ---- */

export interface User {
  id: string;
  name: string;
  display_name: string;
  tenant: string;
  department: string;
  department_id?: string;
  roles: string[];
  permissions: string[];
  must_change_password: boolean;
  disabled?: boolean;
  locked?: boolean;
  last_sign_in?: string | null;
  created_at?: string | null;
}

export interface Session {
  user: User;
  csrf_token: string;
}

export interface Role {
  name: string;
  title: string;
  title_en: string;
  permissions: string[];
  exclusive_group?: string | null;
}

export interface Department {
  id: string;
  name: string;
  code?: string;
  short_name?: string;
  kind?: string;
  phone?: string;
  n_users?: number;
}

export interface Tenant {
  id: string;
  name: string;
  title?: string;
  disabled?: boolean;
  created_at?: string | null;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  permissions: string[];
  knowledge_bases?: string[] | null;
  requests_per_minute?: number | null;
  created_at?: string | null;
  expires_at?: string | null;
  revoked?: boolean;
}

export interface NewApiKey extends ApiKey {
  key: string;
}

export interface AuditEntry {
  number: number;
  time: string;
  tenant: string;
  actor: string;
  actor_name?: string;
  address: string;
  action: string;
  object: string;
  result: string;
  trace: string;
  detail: unknown;
  sha256: string;
}

export interface AuditCheck {
  n_entries: number;
  first_bad: number;
  words: string;
  head_sha256: string;
  head_sm3: string;
}

export interface City {
  name: string;
  name_en?: string;
  title?: string;
  title_en?: string;
  tagline?: string;
  hotline?: string;
  site?: string;
  fictional?: boolean;
  /** Questions that residents may start with. */
  examples?: string[];
}

/* ---- compute ---- */

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Job {
  id: string;
  kind: string;
  title: string;
  state: JobState;
  phase: string;
  done: number;
  total: number;
  attempt: number;
  max_attempts: number;
  created_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  why: string;
  result: unknown;
  actor: string;
  actor_name?: string;
  /** Asked to stop, and not yet stopped. */
  cancelling?: boolean;
}

/* ---- knowledge ---- */

export type Status = 'in_force' | 'not_yet' | 'expired' | 'superseded';

export interface KnowledgeBase {
  id: string;
  name: string;
  title: string;
  access: string;
  n_documents: number;
  n_passages: number;
  /** Names of models that help here; empty for none. */
  writer: string;
  embedder: string;
  reranker: string;
  updated_at?: string | null;
}

/** What is known of a document or of one version of it; a steward may set every field. */
export interface Meta {
  title: string;
  kind: string;
  number: string;
  issuer: string;
  region: string;
  department: string;
  level: number;
  access: string;
  published: string | null;
  effective: string | null;
  expires: string | null;
  replaced_by?: string;
}

export interface Document extends Meta {
  id: string;
  kb?: string;
  status: Status;
  n_versions: number;
  n_passages: number;
}

export interface Version {
  id: string;
  label: string;
  published: string | null;
  effective: string | null;
  expires: string | null;
  status: Status;
  n_passages: number;
  source_path: string;
  format: string;
  object?: string;
  current?: boolean;
}

export interface DocumentPage extends Document {
  versions: Version[];
}

export interface Passage {
  id: string;
  article: string;
  path: string;
  /** Bytes of the version's text, which is UTF-8. */
  start: number;
  len: number;
}

export interface VersionText {
  document_id: string;
  version_id: string;
  title: string;
  text: string;
  passages: Passage[];
  meta: Partial<Meta> & { status?: Status; status_text?: string; kb?: string };
}

export interface Hit {
  passage_id: string;
  document_id: string;
  version_id: string;
  kb: string;
  title: string;
  article: string;
  path: string;
  text: string;
  /** Bytes of the version's text, which is UTF-8. */
  start: number;
  len: number;
  kind: string;
  number: string;
  issuer: string;
  level: number;
  region: string;
  published: string | null;
  effective: string | null;
  expires: string | null;
  status: Status;
  status_text: string;
  score: number;
  confidence: number;
  n_folded: number;
  explain?: Record<string, unknown>;
  link: string;
}

export interface Found {
  items: Hit[];
  took_us: number;
}

export interface Quote {
  hit: number;
  /** Bytes of the version's text, which is UTF-8. */
  start: number;
  len: number;
  text: string;
  field: string;
}

export interface Answer {
  id: string;
  refused: boolean;
  text: string;
  method: string;
  question: string;
  notice: string;
  confidence: number;
  quotes: Quote[];
  hits: Hit[];
  took_us: number;
  labels?: unknown;
  /** When a model was asked: what it wrote and how much of it stands in the passages. */
  written?: { model: string; n_sentences: number; n_struck: number; taken: boolean };
}

export interface Turn {
  role: 'user' | 'assistant';
  text: string;
}

export type Verdict = 'up' | 'down' | 'wrong' | 'missing';

export interface Review {
  id: string;
  question: string;
  answer: string;
  verdict: Verdict;
  comment: string;
  correction: string;
  state: string;
  /** What became of it: "make_faq" or "dismiss". */
  result: string;
  kb: string;
  created_at: string;
}

export interface Unanswered {
  question: string;
  /** The id of the newest of its answers, which were refusals. */
  answer: string;
  count: number;
  last_at: string;
  examples: string[];
}

/** A version that takes effect, ends or is superseded soon. */
export interface Expiring extends Document {
  reason: 'begins' | 'ends' | 'superseded';
  day: string;
  days: number;
}

/* ---- eval ---- */

export interface Evaluation {
  id: string;
  kb: string;
  name?: string;
  set?: string;
  state?: string;
  n_questions?: number;
  created_at?: string | null;
  metrics?: Record<string, number> | null;
  /** Why it failed. */
  why?: string;
}

export interface Miss {
  question: string;
  gold: unknown;
  got: unknown[];
}

export interface EvaluationPage extends Evaluation {
  misses: Miss[];
}

/** GET /api/overview: what was asked, and how it was answered. */
export interface Overview {
  days: { day: string; questions: number; refused: number; ups: number }[];
  methods: { method: string; count: number; mean_ms: number }[];
  open_reviews: number;
  documents: Record<Status, number>;
}

/* ---- main ---- */

export interface Health {
  status: string;
  version: string;
}
