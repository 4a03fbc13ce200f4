// bench/import.mjs YICHENG DATASETS: the whole of laws and service guides by one command, then searched.
// Prints the time and the peak memory of the import, the time until a server over it is ready, its resident
// memory at rest, and recall and times of `yicheng eval retrieval` over lecoqa's test split.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch, serve } from '../tests/support/tap.mjs';

const [yicheng, datasets] = process.argv.slice(2);
if (!yicheng || !datasets) {
  console.error('usage: node bench/import.mjs YICHENG DATASETS');
  process.exit(2);
}
const data = scratch(), out = scratch();

/** The child's own highest resident memory, in MB; VmHWM ends with the process, so it is asked while it runs. */
function peak(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
const resident = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

const start = performance.now();
let most = 0;
const child = spawn(yicheng, ['--data', data, 'kb', 'import', 'city', join(datasets, 'laws'), join(datasets, 'service-guides/data'), '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
let text = '';
child.stdout.on('data', (d) => { text += d; });
const watch = setInterval(() => { most = Math.max(most, peak(child.pid)); }, 50);
const code = await new Promise((resolve) => child.on('close', resolve));
clearInterval(watch);
if (code !== 0) throw new Error(`the import ended with ${code}`);
const report = JSON.parse(text);
console.log(`import     ${((performance.now() - start) / 1000).toFixed(1)} s, peak ${most.toFixed(0)} MB; ${report.n_documents} documents, ${report.n_versions} versions, ${report.n_passages} passages, ${report.n_failed} failed`);

const up = performance.now();
const server = await serve(yicheng, data);
console.log(`start      ${(performance.now() - up).toFixed(0)} ms until ready (asked every 100 ms)`);
await new Promise((r) => setTimeout(r, 2000));
console.log(`idle       ${resident(server.child.pid).toFixed(0)} MB resident`);
await server.stop();

spawnSync(process.execPath, [new URL('make_questions.mjs', import.meta.url).pathname, datasets, out], { stdio: 'inherit' });
const run = spawnSync(yicheng, ['--data', data, 'eval', 'retrieval', '--kb', 'city', '--questions', join(out, 'lecoqa.jsonl'), '--split', 'test', '--json'], { encoding: 'utf8' });
console.log(`lecoqa     ${run.stdout.trim() || run.stderr}`);
