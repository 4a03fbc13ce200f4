/** The numbers of a limit, what they are called, and how full they are. */
import { tr } from '../shared/language';
import { count } from '../shared/words';
import { yuan } from './money';
import type { LimitName, Limits } from './shapes';

export interface LimitWords {
  name: LimitName;
  words: string;
  money: boolean;
}

export const limitNames = (): LimitWords[] => [
  { name: 'requests_per_minute', words: tr('每分钟请求', 'Requests a minute'), money: false },
  { name: 'tokens_per_minute', words: tr('每分钟词元', 'Tokens a minute'), money: false },
  { name: 'concurrent', words: tr('同时进行', 'At once'), money: false },
  { name: 'tokens_per_day', words: tr('每天词元', 'Tokens a day'), money: false },
  { name: 'tokens_per_month', words: tr('每月词元', 'Tokens a month'), money: false },
  { name: 'money_micro_per_day', words: tr('每天费用', 'Money a day'), money: true },
  { name: 'money_micro_per_month', words: tr('每月费用', 'Money a month'), money: true },
];

export interface Fill {
  words: string;
  text: string;
  share: number;
}

/** Of the limits that are set: how much is used, from 0 to 1. */
export function fills(limits: Limits): Fill[] {
  const out: Fill[] = [];
  for (const { name, words, money } of limitNames()) {
    const limit = limits[name];
    if (limit === null) continue;
    const used = limits.used[name];
    const show = money ? yuan : count;
    out.push({ words, text: `${show(used)} / ${show(limit)}`, share: limit > 0 ? Math.min(1, used / limit) : 1 });
  }
  return out;
}
