/** The shapes of /api/usage, prices, limits and bills; money is integer micro-yuan. */

export interface Sums {
  calls: number;
  failed: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  images: number;
  money_micro: number;
}

export interface UsageSums extends Sums {
  mean_ms: number | null;
  mean_queue_ms: number | null;
  mean_first_ms: number | null;
}

export interface UsageRow extends UsageSums {
  at: string | null;
  tenant?: string;
  model?: string;
  application?: string;
  key?: string;
  kind?: string;
  actor_name?: string;
}

export interface Usage {
  from_at: string;
  to_at: string;
  currency: string;
  items: UsageRow[];
  total: UsageSums;
}

export interface Rates {
  prompt_micro_per_million: number;
  cached_micro_per_million: number;
  completion_micro_per_million: number;
  request_micro: number;
  image_micro: number;
  cached_answer_micro: number;
}

export interface Price extends Rates {
  id: string;
  /** Empty: for every tenant without a price of its own. */
  tenant: string;
  /** "*": every model without a price. */
  price_key: string;
  from_at: string;
  note: string;
}

export interface LimitNumbers {
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  concurrent: number | null;
  tokens_per_day: number | null;
  tokens_per_month: number | null;
  money_micro_per_day: number | null;
  money_micro_per_month: number | null;
}
export type LimitName = keyof LimitNumbers;

export type Level = 'tenant' | 'application' | 'key';

export interface Limits extends LimitNumbers {
  tenant: string;
  level: Level;
  name: string;
  title: string;
  models: string[];
  networks: string[];
  application: string;
  expires_at: string | null;
  version: number;
  used: Record<LimitName, number>;
}

export interface BillMonth {
  tenant: string;
  month: string;
  money_micro: number;
  tokens: number;
  closed: boolean;
  closed_at: string | null;
}

export interface BillItem extends Sums {
  model: string;
  application: string;
  kind: string;
}

export interface Bill extends Sums {
  tenant: string;
  tenant_title: string;
  month: string;
  currency: string;
  closed: boolean;
  closed_at: string | null;
  items: BillItem[];
}
