/** Texts of versions, fetched once: a citation and its neighbour often stand in the same one. */
import type { VersionText } from './api';
import { get } from './http';

const kept = new Map<string, Promise<VersionText>>();
const MOST = 20;

export function versionText(id: string): Promise<VersionText> {
  const known = kept.get(id);
  if (known) return known;
  const fresh = get<VersionText>(`/api/versions/${encodeURIComponent(id)}/text`);
  fresh.catch(() => kept.delete(id));
  kept.set(id, fresh);
  const oldest = kept.keys().next().value;
  if (kept.size > MOST && oldest !== undefined) kept.delete(oldest);
  return fresh;
}
