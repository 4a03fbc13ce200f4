// tests/support/tap.mjs: TAP for tests that drive the program from outside.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const tests = [];
/** A test is a promise; it fails by throwing, and is skipped by `throw new Skip('why')`. */
export function test(name, run) {
  tests.push({ name, run });
}
export class Skip extends Error {}

export function equal(got, want, what = 'value') {
  const a = JSON.stringify(got), b = JSON.stringify(want);
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}
export function ok(value, what) {
  if (!value) throw new Error(what);
}

/** A folder that is removed at the end. */
const folders = [];
export function scratch() {
  const dir = mkdtempSync(join(tmpdir(), 'yicheng-test-'));
  folders.push(dir);
  return dir;
}

/** Runs a command to its end: { status, signal, out, err }. */
export function run(program, args, options = {}) {
  const r = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 280_000, ...options });
  return { status: r.status, signal: r.signal, out: r.stdout ?? '', err: r.stderr ?? '' };
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer();
    s.on('error', reject);
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

/** Starts `yicheng serve` and waits until it answers. */
export async function serve(program, data, args = [], env = {}) {
  const port = await freePort();
  const child = spawn(program, ['--data', data, '--set', `http.port=${port}`, ...(args.global ?? []), 'serve', ...(args.serve ?? [])],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout.on('data', (d) => { log += d; });
  child.stderr.on('data', (d) => { log += d; });
  const base = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 600; i++) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${log.slice(-2000)}`);
    try {
      if ((await fetch(`${base}/ready`)).ok) break;
    } catch { /* not yet */ }
    await new Promise((r) => setTimeout(r, 100));
    if (i === 599) throw new Error(`the server did not come up: ${log.slice(-2000)}`);
  }
  return {
    base, port, child, log: () => log,
    stop: (signal = 'SIGTERM') => new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.on('exit', resolve);
      child.kill(signal);
    }),
  };
}

/** Runs all; call last. */
export async function main() {
  const only = process.argv.slice(2).find((a) => !a.startsWith('/') && !a.includes('build'));
  let n = 0, bad = 0;
  console.log('TAP version 13');
  for (const t of tests) {
    if (only && !t.name.includes(only)) continue;
    n++;
    try {
      await t.run();
      console.log(`ok ${n} - ${t.name}`);
    } catch (e) {
      if (e instanceof Skip) {
        console.log(`ok ${n} - ${t.name} # SKIP ${e.message}`);
        continue;
      }
      bad++;
      console.log(String(e.stack ?? e).split('\n').map((l) => `# ${l}`).join('\n'));
      console.log(`not ok ${n} - ${t.name}`);
    }
  }
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
  console.log(`1..${n}`);
  process.exit(bad > 0 ? 1 : 0);
}
