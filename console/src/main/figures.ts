/** What the start page shows, put together from what the signed-in person may ask the rooms. */
import type { Project } from '../annotate/types';
import type { UsageSums, Usage } from '../meter/shapes';
import type { Deployment, Endpoint } from '../models/types';
import type { AuditEntry, Expiring, Job, KnowledgeBase, Overview, Page } from '../shared/api';
import { get, query } from '../shared/http';
import { may } from '../shared/session';

export interface Figures {
  overview: Overview | null;
  bases: KnowledgeBase[] | null;
  running: number | null;
  failed: number | null;
  expiring: Expiring[] | null;
  unanswered: number | null;
  usage: UsageSums | null;
  endpoints: Endpoint[] | null;
  deployments: Deployment[] | null;
  acts: AuditEntry[] | null;
  /** Open projects in which the person has a place. */
  projects: Project[] | null;
}

const MOST = 100;

function today(): string {
  const now = new Date();
  const two = (n: number) => String(n).padStart(2, '0');
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

async function countJobs(state: string): Promise<number> {
  return (await get<Page<Job>>(`/api/jobs${query({ state, limit: MOST })}`)).items.length;
}

async function items<T>(path: string): Promise<T[]> {
  return (await get<Page<T>>(path)).items;
}

export async function fetchFigures(): Promise<Figures> {
  const when = <T>(permission: string, work: () => Promise<T>) => (may(permission) ? work() : null);
  const [overview, bases, running, failed, expiring, unanswered, usage, endpoints, deployments, acts, projects] = await Promise.all([
    when('knowledge.read', () => get<Overview>('/api/overview?days=14')),
    when('knowledge.read', () => items<KnowledgeBase>(`/api/knowledge_bases${query({ limit: MOST })}`)),
    when('jobs.read', async () => (await countJobs('running')) + (await countJobs('queued'))),
    when('jobs.read', () => countJobs('failed')),
    when('knowledge.read', () => items<Expiring>(`/api/expiring${query({ days: 60, limit: 5 })}`)),
    when('knowledge.review', async () =>
      (await items<{ count: number }>('/api/unanswered?days=14')).reduce((sum, one) => sum + one.count, 0),
    ),
    when('meter.read', async () => (await get<Usage>(`/api/usage${query({ from: today(), to: today(), step: 'none' })}`)).total),
    when('model.manage', () => items<Endpoint>('/api/endpoints')),
    when('model.manage', () => items<Deployment>('/api/deployments')),
    when('ops.audit.read', () => items<AuditEntry>('/api/audit?limit=8')),
    when('annotate.work', async () => (await items<Project>('/api/annotation_projects?limit=20')).filter((one) => one.mine.work && one.state === 'open')),
  ]);
  return { overview, bases, running, failed, expiring, unanswered, usage, endpoints, deployments, acts, projects };
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
