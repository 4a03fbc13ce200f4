/** The shapes of room privacy, as /api/privacy speaks them. */
export interface PrivacyKind {
  name: string;
  title: string;
  title_en: string;
  group: 'number' | 'text';
}

export interface Finding {
  kind: string;
  /** Characters of the text; `end` is behind the last. */
  start: number;
  end: number;
  text: string;
  value: string;
  confidence: number;
}

export interface Scan {
  findings: Finding[];
  counts: Record<string, number>;
  masked: string | null;
  ms: number;
}

export interface MaskingKey {
  number: number;
  state: 'newest' | 'older' | 'destroyed';
  created_at: string | null;
  created_by: string;
  destroyed_at: string | null;
}
