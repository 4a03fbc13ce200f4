/** Who is signed in, and what they may do. The server checks again; this only chooses what to show. */
import { reactive } from 'vue';
import type { Session, User } from './api';
import { ApiError, call, get, post, setCsrf } from './http';

export const session = reactive<{ user: User | null; asked: boolean }>({ user: null, asked: false });

function take(from: Session): User {
  setCsrf(from.csrf_token);
  session.user = from.user;
  session.asked = true;
  return from.user;
}

export async function resume(): Promise<void> {
  try {
    take(await get<Session>('/api/session'));
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.status !== 401) throw error;
    forget();
  }
  session.asked = true;
}

export async function signIn(name: string, password: string): Promise<User> {
  return take(await post<Session>('/api/session', { name, password }));
}

export async function signOut(): Promise<void> {
  await call('DELETE', '/api/session');
  forget();
}

/** The server ends every session of the user, so they sign in again with the new one at once. */
export async function changePassword(old: string, fresh: string): Promise<void> {
  const name = session.user?.name ?? '';
  await post('/api/session/password', { old, new: fresh });
  await signIn(name, fresh);
}

export function forget(): void {
  session.user = null;
  setCsrf('');
}

/** Whether the user has one of these; with none named, whether anybody is signed in. */
export function may(...permissions: string[]): boolean {
  const user = session.user;
  if (!user) return false;
  return permissions.length === 0 || permissions.some((one) => user.permissions.includes(one));
}
