// tests/support/gateway.mjs: a centre whose gateway has models at some address, and a key to call them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { serve } from './tap.mjs';

export const DEMO_PASSWORD = 'Kan-Yun-Ting-2026';
const ADMIN_PASSWORD = 'Kestrel-Lantern-58';
const root = new URL('../..', import.meta.url).pathname;

/** A person signed in: api(method, path, body) -> { status, body }. */
export async function signIn(base, name, password) {
  const json = { 'content-type': 'application/json' };
  const answer = await fetch(`${base}/api/session`, { method: 'POST', headers: json, body: JSON.stringify({ name, password }) });
  if (!answer.ok) throw new Error(`sign-in of ${name}: ${answer.status} ${await answer.text()}`);
  const cookie = answer.headers.get('set-cookie').split(';')[0], { csrf_token } = await answer.json();
  return async (method, path, body) => {
    const r = await fetch(base + path, { method, headers: { ...json, cookie, 'x-csrf-token': csrf_token }, body: body && JSON.stringify(body) });
    const text = await r.text();
    return { status: r.status, body: text ? JSON.parse(text) : null };
  };
}

async function must(promise, what) {
  const r = await promise;
  if (r.status >= 300) throw new Error(`${what}: ${r.status} ${JSON.stringify(r.body)}`);
  return r.body;
}

/** The fake upstream of bench/: { port, child, stop }. */
export async function fakeUpstream(program, ...args) {
  const child = spawn(program, args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  return { port: Number(line), child, stop: () => child.stdin.end() };
}

/** The first start of a data directory with the sample city; models: [{ name, base_url, upstream, modality, ... }]. */
export async function gatewayCentre(yicheng, data, models, sets = []) {
  const global = ['ops.demo=true', 'ops.rate_address=100000000', 'ops.rate_user=100000000', 'ops.rate_key=100000000', 'ops.signin_rate=1000',
    'http.connections_per_address=8192', 'http.connections=8192', ...sets].flatMap((s) => ['--set', s]);
  const server = await serve(yicheng, data, { global, serve: ['--sample', join(root, 'sample')] });
  const first = /sysadmin\s+(\S+)/.exec(server.log())[1];
  let admin = await signIn(server.base, 'sysadmin', first);
  await must(admin('POST', '/api/session/password', { old: first, new: ADMIN_PASSWORD }), 'password');
  admin = await signIn(server.base, 'sysadmin', ADMIN_PASSWORD);
  for (const m of models)
    await must(admin('POST', '/api/endpoints', {
      name: `at-${m.name}`, model: m.name, base_url: m.base_url, provider: 'openai', upstream_model: m.upstream ?? m.name, api_key: 'sk-test',
      card: { modality: m.modality ?? 'chat', ...(m.card ?? {}) }, ...(m.more ?? {}),
    }), `endpoint ${m.name}`);
  const developer = await signIn(server.base, 'demo-developer', DEMO_PASSWORD);
  const key = await must(developer('POST', '/api/keys', { name: 'gateway', permissions: ['model.use'], requests_per_minute: 100000000 }), 'key');
  return { server, admin, developer, key: key.key, keyId: key.id, global };
}
