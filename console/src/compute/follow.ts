/** A job as it goes: server-sent events while it runs, and a slow question where they do not come. */
import { onUnmounted, shallowRef, watch, type ShallowRef } from 'vue';
import type { Job } from '../shared/api';
import { get } from '../shared/http';
import { language } from '../shared/language';

export function ended(job: Job | null): boolean {
  return job !== null && ['done', 'failed', 'cancelled'].includes(job.state);
}

export interface Followed {
  job: ShallowRef<Job | null>;
  refresh: () => Promise<void>;
}

const SLOW_MS = 3000;

export function useJob(id: string, first: Job | null, whenEnded: () => void): Followed {
  const job = shallowRef<Job | null>(first);
  const path = `/api/jobs/${encodeURIComponent(id)}`;
  let events: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let gone = false;

  const refresh = async () => {
    clearTimeout(timer);
    try {
      job.value = await get<Job>(path);
    } catch {
      /* asked again below; the page shows what it has */
    }
    if (gone || ended(job.value)) return;
    listen();
    timer = setTimeout(() => void refresh(), SLOW_MS);
  };
  const take = (event: MessageEvent<string>) => {
    const change = JSON.parse(event.data) as Partial<Job>;
    if (job.value) job.value = { ...job.value, ...change };
    if (ended(job.value)) void refresh();
  };
  const listen = () => {
    if (events) return;
    events = new EventSource(`${path}/events?language=${language()}`);
    events.addEventListener('progress', take);
    events.addEventListener('state', take);
    events.onerror = () => {
      events?.close();
    };
  };
  watch(job, (now, before) => {
    if (!ended(now)) return;
    events?.close();
    events = null;
    if (!ended(before)) whenEnded();
  });
  onUnmounted(() => {
    gone = true;
    clearTimeout(timer);
    events?.close();
  });
  void refresh();
  return { job, refresh };
}
