// engine.mjs YICHENG: tokens a second of `yicheng engine` and of llama-server, built from the same source, on the
// same file with the same threads, at 1, 4 and 16 clients; the two take turns and the medians are compared.
// ROUNDS, THREADS, TOKENS and CLIENTS may be set. The model has random weights in the shape of Qwen2 0.5B (Q4_0).
import { spawn, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, homedir } from 'node:os';
import { join } from 'node:path';
import net from 'node:net';

const yicheng = process.argv[2];
const rounds = Number(process.env.ROUNDS ?? 3);
const threads = Number(process.env.THREADS ?? 2);
const tokens = Number(process.env.TOKENS ?? 64);
const cache = process.env.YICHENG_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'yicheng');
const llama = join(cache, 'llama-0.5.0');
const server = join(llama, 'peers/bin/llama-server');
if (!existsSync(server)) {
  console.log('engine: llama-server is not here (tools/llama peers builds it); skipped');
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'yicheng-engine-'));
const model = process.env.MODEL ?? join(folder, 'qwen2-0.5b-q4_0.gguf');
if (!existsSync(model)) {
  execFileSync(yicheng, ['gguf', 'random', '0.5b', model, '--kind', 'Q4_0', '--vocab', join(llama, 'source/models/ggml-vocab-qwen2.gguf')], { stdio: 'ignore' });
}

const freePort = () => new Promise((done) => {
  const s = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = s.address();
    s.close(() => done(port));
  });
});

/** Processor time of a process so far, in seconds: it tells something on a machine that does other work too. */
function processor(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const started = [];
async function start(name, program, args) {
  const port = await freePort();
  const child = spawn(program, [...args, '--port', String(port)], { stdio: 'ignore', env: { ...process.env, GOMP_SPINCOUNT: process.env.GOMP_SPINCOUNT ?? '1000' } });
  started.push(child);
  for (let i = 0; i < 600; i++) {
    const ok = await fetch(`http://127.0.0.1:${port}/health`).then((r) => r.ok, () => false);
    if (ok) return { name, url: `http://127.0.0.1:${port}`, child };
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    await new Promise((r) => setTimeout(r, 100));
  }
  throw new Error(`${name} did not answer`);
}

/** Instructions of a process from now to the call of what is returned (perf, where it may count), or NaN. */
async function instructions(pid) {
  const perf = spawn('perf', ['stat', '-x,', '-e', 'instructions:u', '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let out = '';
  perf.stderr.on('data', (d) => (out += d));
  const over = new Promise((done) => perf.on('close', done).on('error', done));
  await new Promise((r) => setTimeout(r, 200));
  return async () => {
    perf.kill('SIGINT');
    await over;
    return Number.parseFloat(out);
  };
}

const words = ['城市', '供水', '道路', '热线', '工单', '街道', '公园', '学校', '医院', '窗口', '事项', '材料', '证明', '居民'];
/** The same number gives the same text, so that both read and write the same; no two numbers share a beginning. */
function prompt(number) {
  let text = '', x = number * 2654435761 + 1;
  for (let i = 0; i < 100; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    text += words[Math.floor((x / 2 ** 32) * words.length)];
  }
  return text;
}

async function round(target, clients, first) {
  const finished = Array.from({ length: 2 * clients }, () => {
    const f = {};
    f.promise = new Promise((done) => (f.done = done));
    return f;
  });
  const count = await instructions(target.child.pid);
  const begun = performance.now();
  const before = processor(target.child.pid);
  // Each client asks twice, for answers of different lengths: in step they would be only on a bench.
  const used = await Promise.all(Array.from({ length: 2 * clients }, (_, i) => i).map(async (i) => {
    if (i >= clients) await finished[i - clients].promise;
    const response = await fetch(`${target.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'bench', prompt: prompt(first + i), max_tokens: Math.round(tokens * (0.5 + ((i * 7) % 16) / 16)), temperature: 0, ignore_eos: true }),
    });
    const body = await response.json();
    if (!response.ok) throw new Error(`${target.name}: ${JSON.stringify(body)}`);
    finished[i].done();
    return body.usage.completion_tokens;
  }));
  const n = used.reduce((a, b) => a + b, 0);
  const rate = n / ((performance.now() - begun) / 1000);
  const cost = (1000 * (processor(target.child.pid) - before)) / n;
  return { rate, cost, work: (await count()) / n / 1e6 };
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
try {
  // Each loads alone: two at once on few cores would measure their quarrel.
  const args = ['--threads', String(threads)];
  const ours = await start('yicheng engine', yicheng, ['engine', '--model', model, '--alias', 'bench', ...args, '--slots', '16', '--context', '8192']);
  const theirs = await start('llama-server', server, ['-m', model, ...args, '--parallel', '16', '-c', '8192', '--kv-unified', '--host', '127.0.0.1', '--no-webui']);
  for (const target of [ours, theirs]) await round(target, 1, 0);
  let first = 2;
  for (const clients of (process.env.CLIENTS ?? '1,4,16').split(',').map(Number)) {
    const rates = new Map([[ours, []], [theirs, []]]);
    for (let i = 0; i < rounds; i++) {
      for (const target of i % 2 ? [theirs, ours] : [ours, theirs]) rates.get(target).push(await round(target, clients, first));
      first += 2 * clients;
    }
    const of = (target, what) => median(rates.get(target).map((r) => r[what]));
    const [a, b, c, d] = [of(ours, 'rate'), of(theirs, 'rate'), of(ours, 'cost'), of(theirs, 'cost')];
    const [e, f] = [of(ours, 'work'), of(theirs, 'work')];
    console.log(`${String(clients).padStart(2)} clients: yicheng engine ${a.toFixed(1)} tokens/s, llama-server ${b.toFixed(1)}, ratio ${(a / b).toFixed(2)}; ` +
      `ms of processor a token ${c.toFixed(1)} and ${d.toFixed(1)}` +
      (e > 0 ? `; million instructions ${e.toFixed(1)} and ${f.toFixed(1)}, ratio ${(f / e).toFixed(2)}` : ''));
  }
} finally {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
