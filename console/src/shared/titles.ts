/** What people call a data set, a knowledge base or a tenant, by its name. Fetched once, again when a name is not known. */
import { shallowReactive } from 'vue';
import type { Page } from './api';
import { everything, get } from './http';
import { may } from './session';

interface Titled {
  name: string;
  title?: string;
}

class Titles {
  private readonly known = shallowReactive(new Map<string, string>());
  private readonly asked = new Set<string>();
  constructor(
    private readonly all: () => Promise<{ items: Titled[] }>,
    private readonly permission = '',
  ) {}

  of(name: string): string {
    const title = this.known.get(name);
    if (title === undefined && name && !this.asked.has(name) && (!this.permission || may(this.permission))) {
      this.asked.add(name);
      void this.fetch();
    }
    return title || name;
  }

  private going = false;
  private async fetch(): Promise<void> {
    if (this.going) return;
    this.going = true;
    try {
      for (const one of (await this.all()).items) this.known.set(one.name, one.title ?? '');
    } catch {
      /* names are shown instead */
    }
    this.going = false;
  }
}

const sets = new Titles(() => everything<Titled>('/api/datasets'), 'data.read');
const bases = new Titles(() => get<Page<Titled>>('/api/knowledge_bases?limit=100'), 'knowledge.read');
const tenants = new Titles(() => get<Page<Titled>>('/api/tenants'));

export const tenantTitle = (name: string): string => tenants.of(name);
export const setTitle = (name: string): string => sets.of(name);
export const baseTitle = (name: string): string => bases.of(name);
