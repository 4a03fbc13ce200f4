/* The real centre for the tests: its own port, a data directory of its own, the sample city. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const program = resolve(process.env.YICHENG ?? join(root, 'build', 'yicheng'));
const READY_MS = 240_000;
const END_MS = 15_000;

export const DEMO_PASSWORD = 'Kan-Yun-Ting-2026';

/** Why the tests cannot run here, or '' when they can. */
export function missing() {
  if (!existsSync(program)) return `${program} was not built`;
  if (!existsSync(join(root, 'console', 'dist', 'console.html'))) return 'the console was not built (make console)';
  return '';
}

function readWords(words) {
  const at = /residents\s+(https?:\/\/\S+?)\/\s/.exec(words);
  const passwords = {};
  for (const name of ['sysadmin', 'secadmin', 'auditor']) {
    const line = new RegExp(`^\\s+${name}\\s+(\\S+)`, 'm').exec(words);
    if (line) passwords[name] = line[1];
  }
  return at ? { url: at[1], passwords } : null;
}

/** Starts it and waits until it says that it is ready. */
export async function startCenter() {
  const data = mkdtempSync(join(tmpdir(), 'yicheng-browser-'));
  const child = spawn(
    program,
    ['--data', data, '--set', 'http.port=0', '--set', 'ops.demo=true', '--set', 'ops.signin_rate=1000', 'serve', '--sample', join(root, 'sample')],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let words = '';
  const ready = await new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new Error(`not ready after ${READY_MS} ms:\n${words}`)), READY_MS);
    const hear = (part) => {
      words += part;
      const found = readWords(words);
      if (!found) return;
      clearTimeout(timer);
      done(found);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('exit', (code) => failed(new Error(`ended with ${code}:\n${words}`)));
  }).catch((error) => {
    child.kill('SIGKILL');
    rmSync(data, { recursive: true, force: true });
    throw error;
  });
  const stop = async () => {
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await ended;
    clearTimeout(timer);
    rmSync(data, { recursive: true, force: true });
  };
  return { ...ready, data, stop };
}
