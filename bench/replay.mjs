// bench/replay.mjs YICHENG DATASETS [SPEED] [SECONDS]: the Azure LLM inference trace (2023), several times as fast as it was, against
// the gateway: the conversations are one tenant's, the code completions another's, both before one server of a model that takes
// 16 calls at once and a millisecond for a token. Shows what each tenant was served and how long it waited: while both wait, the
// gateway serves them equal shares of tokens, however many calls each has in line.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from '../tests/support/tap.mjs';
import { gatewayCentre } from '../tests/support/gateway.mjs';

const [yicheng, datasets, speedText, secondsText] = process.argv.slice(2);
const speed = Number(speedText ?? 20), seconds = Number(secondsText ?? 20);
const file = (name) => join(datasets ?? '../shared/data', 'azure-llm-trace/data', `AzureLLMInferenceTrace_${name}.csv`);
if (!yicheng || !existsSync(file('conv'))) {
  console.log('bench/replay: the trace is not on this machine: skipped');
  process.exit(0);
}
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function trace(name) {
  const rows = readFileSync(file(name), 'utf8').trim().split('\n').slice(1).map((l) => l.split(','));
  const first = Date.parse(`${rows[0][0].slice(0, 23).replace(' ', 'T')}Z`);
  return rows.map(([at, context, generated]) => ({ at: (Date.parse(`${at.slice(0, 23).replace(' ', 'T')}Z`) - first) / speed, context: Number(context), generated: Number(generated) }))
    .filter((r) => r.at < seconds * 1000);
}

/** A key of another tenant: made with its first user, whom the security administrator makes a developer. */
async function tenantKey(centre, name) {
  const { base } = centre.server, json = { 'content-type': 'application/json' };
  const must = async (r, what) => { if (r.status >= 300) throw new Error(`${what}: ${r.status} ${JSON.stringify(r.body)}`); return r.body; };
  const person = async (who, password) => {
    const r = await fetch(`${base}/api/session`, { method: 'POST', headers: json, body: JSON.stringify({ name: who, password }) });
    if (!r.ok) throw new Error(`sign-in of ${who}: ${r.status}`);
    const cookie = r.headers.get('set-cookie').split(';')[0], { csrf_token } = await r.json();
    return async (method, path, body) => {
      const a = await fetch(base + path, { method, headers: { ...json, cookie, 'x-csrf-token': csrf_token }, body: body && JSON.stringify(body) }), text = await a.text();
      return { status: a.status, body: text ? JSON.parse(text) : null };
    };
  };
  const settled = async (who, first, password) => {
    await must(await (await person(who, first))('POST', '/api/session/password', { old: first, new: password }), `password of ${who}`);
    return person(who, password);
  };
  const tenant = await must(await centre.admin('POST', '/api/tenants', { name, title: name }), 'tenant');
  const user = await must(await centre.admin('POST', '/api/users', { name: 'coder', tenant: tenant.id }), 'user');
  const secadmin = await settled('secadmin', /secadmin\s+(\S+)/.exec(centre.server.log())[1], 'Kestrel-Lantern-59');
  await must(await secadmin('PATCH', `/api/users/${user.id}`, { roles: ['developer'] }), 'role');
  const coder = await settled(`coder@${name}`, user.password, 'Kestrel-Lantern-60');
  return (await must(await coder('POST', '/api/keys', { name: 'replay', permissions: ['model.use'], requests_per_minute: 100000000 }), 'key')).key;
}

let inside = 0, most = 0;
const upstream = createServer((req, res) => {
  let body = '';
  req.on('data', (d) => { body += d; });
  req.on('end', async () => {
    const n = JSON.parse(body).max_tokens;
    most = Math.max(most, ++inside);
    await sleep(n);
    inside--;
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
      id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: n, total_tokens: n + 1 } }));
  });
}).listen(0, '127.0.0.1');
await once(upstream, 'listening');

const centre = await gatewayCentre(yicheng, scratch(), [
  { name: 'shared', base_url: `http://127.0.0.1:${upstream.address().port}`, more: { max_busy: 16 } },
], ['gateway.queue=100000', 'gateway.queue_time=10m', 'http.access_log=false']);
const tenants = [
  { name: 'conversations', key: centre.key, rows: trace('conv') },
  { name: 'code', key: await tenantKey(centre, 'code'), rows: trace('code') },
];
const begin = performance.now();
let waiting = 0;

async function call(tenant, row) {
  await sleep(Math.max(0, row.at - (performance.now() - begin)));
  const asked = performance.now();
  tenant.open = (tenant.open ?? 0) + 1;
  const r = await fetch(`${centre.server.base}/v1/chat/completions`, {
    method: 'POST', headers: { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'shared', max_tokens: row.generated, messages: [{ role: 'user', content: 'word '.repeat(Math.min(row.context, 4000)) }] }),
  });
  const { usage } = await r.json();
  const both = tenants.every((t) => t.open > 24); /* each has more in line than there are places */
  tenant.open--;
  tenant.times.push(performance.now() - asked - row.generated);
  tenant.tokens += usage?.completion_tokens ?? 0;
  if (both) tenant.shared += row.context + row.generated;
  if (r.status !== 200) tenant.failed++;
}

try {
  for (const t of tenants) Object.assign(t, { times: [], tokens: 0, shared: 0, failed: 0 });
  await Promise.all(tenants.flatMap((t) => t.rows.map((row) => call(t, row))));
  const took = (performance.now() - begin) / 1000;
  for (const t of tenants) {
    t.times.sort((a, b) => a - b);
    const q = (p) => (t.times[Math.floor((t.times.length - 1) * p)] / 1000).toFixed(2);
    console.log(`${t.name.padEnd(14)} ${t.rows.length} calls, ${t.failed} failed, ${t.tokens} tokens; waited p50 ${q(0.5)} s, p95 ${q(0.95)} s`);
  }
  const [a, b] = tenants.map((t) => t.shared);
  console.log(`${speed} times as fast, ${took.toFixed(1)} s for ${seconds} s of arrivals, ${most} calls inside at most`);
  console.log(a + b ? `while both waited: ${(100 * a / (a + b)).toFixed(0)} to ${(100 * b / (a + b)).toFixed(0)} percent of the tokens` : 'the two never waited together: raise the speed');
} finally {
  await centre.server.stop();
  upstream.closeAllConnections();
  upstream.close();
}
process.exit(0);
