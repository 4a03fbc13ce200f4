/** The shapes of room annotate, as /api/annotation_projects and /api/annotation_items speak them. */

export type FieldKind = 'choices' | 'spans' | 'boxes' | 'text' | 'rating' | 'number' | 'preference' | 'ranking';

export interface Label {
  value: string;
  title?: string;
  color?: string;
  key?: string;
  children?: Label[];
}

export interface Field {
  name: string;
  kind: FieldKind;
  title: string;
  to: string;
  required: boolean;
  compare: boolean;
  multiple?: boolean;
  max?: number;
  labels?: Label[];
}

export interface Show {
  name: string;
  kind: 'text' | 'chat' | 'image';
  path: string;
  title: string;
}

export interface LabelSet {
  show: Show[];
  fields: Field[];
}

/** Characters of the text, as people count them (not UTF-16 units). */
export interface Span {
  start: number;
  end: number;
  label: string;
}

/** Percent of the picture. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  rotation?: number;
  label: string;
}

export type Value = string[] | Span[] | Box[] | string | number;
export type Answer = Record<string, Value>;

export type ProjectState = 'preparing' | 'open' | 'paused' | 'finished' | 'failed';

export interface Project {
  id: string;
  title: string;
  dataset: string;
  version: number;
  state: ProjectState;
  why: string;
  overlap: number;
  review: number;
  lease_minutes: number;
  gold_every: number;
  pass_mark: number;
  separate: boolean;
  n_items: number;
  n_final: number;
  n_review: number;
  n_disputed: number;
  n_unusable: number;
  n_gold: number;
  n_exam: number;
  n_labels: number;
  n_skipped: number;
  revision: number;
  job: string;
  result: { dataset: string; number: number; kind: string; n_records: number; n_left_out: number; sha256: string } | null;
  created_by_name: string;
  created_at: string | null;
  changed_at: string | null;
  mine: { work: boolean; review: boolean; manage: boolean; exam: string };
}

export interface Place {
  id: string;
  name: string;
  work: boolean;
  review: boolean;
  suspended: boolean;
  exam: string;
  exam_done: number;
  exam_score: number;
  n_submitted: number;
  n_reviewed: number;
  last_at: string | null;
}

export interface ProjectPage extends Project {
  guidelines: string;
  labels: LabelSet;
  people?: Place[];
}

export interface Candidate {
  id: string;
  name: string;
  display_name: string;
  department: string;
  work: boolean;
  review: boolean;
}

export type Shown = Record<string, unknown>;

export interface WorkItem {
  id: string;
  seq: number;
  record: string;
  show: Shown;
  pre?: Answer;
  pre_by?: string;
  answer?: Answer;
  returned?: string;
  exam: boolean;
  lease_until: string | null;
}

export interface Work {
  items: WorkItem[];
  exam: { n: number; done: number; state: string };
  done: number;
  left: number;
}

export interface Submitted {
  state: string;
  exam?: { right: Answer; score: number; state: string };
}

export interface OneLabel {
  id: string;
  who: string;
  state: string;
  answer: Answer | null;
  pre: string;
  comment: string;
  verdict: string;
  review_comment: string;
  spent_ms: number;
  done_at: string | null;
}

export interface ReviewItem {
  id: string;
  seq: number;
  record: string;
  state: string;
  purpose: string;
  show: Shown;
  pre?: Answer;
  gold?: Answer;
  final?: Answer;
  final_how: string;
  labels: OneLabel[];
}

export interface ItemRow {
  id: string;
  seq: number;
  record: string;
  text: string;
  state: string;
  purpose: string;
  n_done: number;
  n_skip: number;
  wanted: number;
  final_how: string;
  final: Answer | null;
  changed_at: string | null;
}

export interface PersonFigures {
  id: string;
  name: string;
  work: boolean;
  review: boolean;
  n_submitted: number;
  n_skipped: number;
  n_returned: number;
  n_reviewed: number;
  n_decided: number;
  n_gold: number;
  gold: number | null;
  accuracy: number | null;
  per_hour: number | null;
  mean_ms: number;
  returned: number | null;
  n_pre_accepted: number;
  n_pre_changed: number;
}

export interface FieldAgreement {
  field: string;
  title: string;
  kind: FieldKind;
  alpha: number | null;
  alpha_interval?: number | null;
  fleiss?: number | null;
  exact: number | null;
  partial?: number | null;
  iou?: number | null;
}

export interface Statistics {
  people: PersonFigures[];
  agreement: {
    n_units: number;
    fields: FieldAgreement[];
    pairs: { a_name: string; b_name: string; n: number; score: number | null; kappa: number | null }[];
  };
}
