// bench/interactive.mjs YICHENG DATASETS: asks stay fast while a heavy job runs.
// One centre over the sample city answers 4 clients, first alone, then while the executor imports the whole
// of laws in a child process. Prints p50, p95 and p99 of both, and their ratio: the peer is the same centre at rest.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch, serve } from '../tests/support/tap.mjs';

const [yicheng, datasets] = process.argv.slice(2);
if (!yicheng || !datasets) {
  console.error('usage: node bench/interactive.mjs YICHENG DATASETS');
  process.exit(2);
}
const data = scratch(), archive = join(scratch(), 'laws.zip');
const root = new URL('..', import.meta.url).pathname;
if (spawnSync('zip', ['-qr1', archive, 'laws', '-i', '*.md'], { cwd: datasets }).status !== 0) throw new Error('could not pack the laws (is zip installed?)');
const limits = ['--set', 'ops.demo=true', '--set', 'ops.rate_address=1000000', '--set', 'ops.rate_user=1000000'];
const server = await serve(yicheng, data, { global: limits, serve: ['--sample', join(root, 'sample')] });
const questions = readFileSync(join(root, 'tests/data/city_answerable.jsonl'), 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l).question);

async function load(seconds) {
  const times = [], end = Date.now() + seconds * 1000;
  let failed = 0;
  await Promise.all([0, 1, 2, 3].map(async (client) => {
    for (let i = client; Date.now() < end; i += 4) {
      const start = performance.now();
      const r = await fetch(`${server.base}/api/ask`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ question: questions[i % questions.length] }) });
      await r.arrayBuffer();
      if (r.ok) times.push(performance.now() - start);
      else failed++;
    }
  }));
  times.sort((a, b) => a - b);
  const q = (p) => times[Math.floor((times.length - 1) * p)] ?? NaN;
  return { n: times.length, failed, p50: q(0.5), p95: q(0.95), p99: q(0.99) };
}

const print = (name, r) => console.log(`${name.padEnd(22)} ${String(r.n).padStart(6)} asks ${r.failed} failed  p50 ${r.p50.toFixed(1)} ms  p95 ${r.p95.toFixed(1)} ms  p99 ${r.p99.toFixed(1)} ms`);
try {
  const signIn = await fetch(`${server.base}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'demo-steward', password: 'Kan-Yun-Ting-2026' }) });
  if (!signIn.ok) throw new Error(`sign-in: ${signIn.status} ${await signIn.text()}`);
  const cookie = signIn.headers.get('set-cookie').split(';')[0], { csrf_token } = await signIn.json();
  const headers = { cookie, 'x-csrf-token': csrf_token };
  await load(3); // warm
  const alone = await load(10);
  print('alone', alone);
  const made = await fetch(`${server.base}/api/knowledge_bases`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'laws', title: '法律法规', access: 'staff' }) });
  if (!made.ok) throw new Error(`base: ${made.status} ${await made.text()}`);
  const up = await fetch(`${server.base}/api/knowledge_bases/laws/uploads?filename=laws.zip`, { method: 'POST', headers: { ...headers, 'content-type': 'application/octet-stream' }, body: readFileSync(archive) });
  if (up.status !== 202) throw new Error(`upload: ${up.status} ${await up.text()}`);
  const { job } = await up.json();
  const busy = await load(10);
  const state = await (await fetch(`${server.base}/api/jobs/${job.id ?? job}`, { headers })).json();
  print(`while a job ${state.state}`, busy);
  console.log(`ratio p50 ${(busy.p50 / alone.p50).toFixed(2)}, p95 ${(busy.p95 / alone.p95).toFixed(2)} (2 cores carry 4 clients and the job)`);
} finally {
  await server.stop();
}
