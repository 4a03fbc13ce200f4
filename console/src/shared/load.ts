/** What a page needs to show what it fetches: the data, that it is on its way, or what went wrong. */
import { ElMessage } from 'element-plus';
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue';
import type { Page } from './api';
import { asProblem, type Problem } from './http';

export interface Load<T> {
  data: ShallowRef<T | null>;
  problem: ShallowRef<Problem | null>;
  busy: Ref<boolean>;
  reload: () => Promise<void>;
}

/** A newer call makes the answer of an older one void. */
export function useLoad<T>(fetch: () => Promise<T>, now = true): Load<T> {
  const data = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const busy = ref(false);
  let turn = 0;
  const reload = async () => {
    const mine = ++turn;
    busy.value = true;
    try {
      const fresh = await fetch();
      if (mine !== turn) return;
      data.value = fresh;
      problem.value = null;
    } catch (error) {
      if (mine === turn) problem.value = asProblem(error);
    }
    if (mine === turn) busy.value = false;
  };
  if (now) void reload();
  return { data, problem, busy, reload };
}

export interface Paged<T> extends Load<Page<T>> {
  page: Ref<number>;
  more: () => boolean;
  forward: () => Promise<void>;
  back: () => Promise<void>;
  restart: () => Promise<void>;
}

/** A list by cursor: the way back is the stack of the cursors passed. */
export function usePages<T>(fetch: (after: string) => Promise<Page<T>>): Paged<T> {
  const cursors: string[] = [''];
  const page = ref(0);
  const load = useLoad(() => fetch(cursors[page.value] ?? ''));
  return {
    ...load,
    page,
    more: () => Boolean(load.data.value?.next),
    forward: async () => {
      const next = load.data.value?.next;
      if (!next) return;
      cursors[++page.value] = next;
      await load.reload();
    },
    back: async () => {
      if (page.value > 0) page.value--;
      await load.reload();
    },
    restart: async () => {
      page.value = 0;
      await load.reload();
    },
  };
}

export interface Action {
  busy: Ref<boolean>;
  problem: ShallowRef<Problem | null>;
  /** True when it went well; else `problem` says what happened. */
  run: (work: () => Promise<unknown>, done?: string) => Promise<boolean>;
}

export function useAction(): Action {
  const busy = ref(false);
  const problem = shallowRef<Problem | null>(null);
  const run = async (work: () => Promise<unknown>, done?: string) => {
    if (busy.value) return false;
    busy.value = true;
    problem.value = null;
    try {
      await work();
      if (done) ElMessage({ message: done, type: 'success', duration: 3000 });
    } catch (error) {
      problem.value = asProblem(error);
    }
    busy.value = false;
    return problem.value === null;
  };
  return { busy, problem, run };
}
