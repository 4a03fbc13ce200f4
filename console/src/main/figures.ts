/** What the start page shows, put together from what the signed-in person may ask the rooms. */
import type { Expiring, Job, KnowledgeBase, Overview, Page } from '../shared/api';
import { get, query } from '../shared/http';
import { may } from '../shared/session';

export interface Figures {
  overview: Overview | null;
  bases: KnowledgeBase[] | null;
  running: number | null;
  failed: number | null;
  expiring: Expiring[] | null;
  unanswered: number | null;
}

const MOST = 100;

async function countJobs(state: string): Promise<number> {
  return (await get<Page<Job>>(`/api/jobs${query({ state, limit: MOST })}`)).items.length;
}

async function items<T>(path: string): Promise<T[]> {
  return (await get<Page<T>>(path)).items;
}

export async function fetchFigures(): Promise<Figures> {
  const when = <T>(permission: string, work: () => Promise<T>) => (may(permission) ? work() : null);
  const [overview, bases, running, failed, expiring, unanswered] = await Promise.all([
    when('knowledge.read', () => get<Overview>('/api/overview?days=14')),
    when('knowledge.read', () => items<KnowledgeBase>(`/api/knowledge_bases${query({ limit: MOST })}`)),
    when('jobs.read', async () => (await countJobs('running')) + (await countJobs('queued'))),
    when('jobs.read', () => countJobs('failed')),
    when('knowledge.read', () => items<Expiring>(`/api/expiring${query({ days: 60, limit: 5 })}`)),
    when('knowledge.review', async () =>
      (await items<{ count: number }>('/api/unanswered?days=14')).reduce((sum, one) => sum + one.count, 0),
    ),
  ]);
  return { overview, bases, running, failed, expiring, unanswered };
}

/** The last `n` days up to today, also those without a question. */
export function lastDays(days: Overview['days'], n: number): Overview['days'] {
  const known = new Map(days.map((one) => [one.day, one]));
  return Array.from({ length: n }, (_, i) => {
    const date = new Date(Date.now() - (n - 1 - i) * 86_400_000);
    const two = (part: number) => String(part).padStart(2, '0');
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return known.get(day) ?? { day, questions: 0, refused: 0, ups: 0 };
  });
}
