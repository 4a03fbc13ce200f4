// bench/gateway.mjs YICHENG BUILD [SECONDS]: the gateway with keys, limits, metering and logging on, against nginx's plain
// proxy_pass and Portkey's gateway, in front of the same fake upstream, in the same run; then latency at a steady rate, many
// streams, and (with MILLION=1) memory over a million requests. Peers that are not to be had are left out, and said.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { freePort, scratch } from '../tests/support/tap.mjs';
import { fakeUpstream, gatewayCentre } from '../tests/support/gateway.mjs';

const [yicheng, build, secondsText] = process.argv.slice(2);
if (!yicheng || !build) {
  console.error('usage: node bench/gateway.mjs YICHENG BUILD [SECONDS]');
  process.exit(2);
}
const seconds = Number(secondsText ?? 8), dir = scratch(), children = [];
const body = JSON.stringify({ model: 'fake', messages: [{ role: 'user', content: 'When does the office open, and what do I bring?' }] });
const streamBody = body.replace('{', '{"stream":true,');
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function wrk(port, headers, text = body, duration = seconds, connections = 32) {
  const script = join(dir, 'post.lua');
  writeFileSync(script, `wrk.method = "POST"\nwrk.body = ${JSON.stringify(text)}\nwrk.headers["Content-Type"] = "application/json"\n`
    + Object.entries(headers).map(([k, v]) => `wrk.headers[${JSON.stringify(k)}] = ${JSON.stringify(v)}\n`).join(''));
  const out = spawnSync('wrk', ['-t1', `-c${connections}`, `-d${duration}s`, '--latency', '-s', script, `http://127.0.0.1:${port}/v1/chat/completions`], { encoding: 'utf8' }).stdout;
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? /Socket errors: (.*)/.exec(out)?.[1] ?? '';
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1] ?? 0), n: Number(/(\d+) requests in/.exec(out)?.[1] ?? 0), p50: /^\s+50%\s+(\S+)/m.exec(out)?.[1], p99: /^\s+99%\s+(\S+)/m.exec(out)?.[1], bad };
}

function pace(port, rate, headers, duration = seconds) {
  const out = spawnSync(join(build, 'bench/pace'), [port, '/v1/chat/completions', rate, duration, 32, body, ...headers].map(String), { encoding: 'utf8' }).stdout;
  return { out: out.trim(), p50: Number(/p50 ([\d.]+)/.exec(out)?.[1]), p99: Number(/p99 ([\d.]+)/.exec(out)?.[1]) };
}

async function nginx(upstream) {
  const port = await freePort(), conf = join(dir, 'nginx.conf');
  writeFileSync(conf, `worker_processes 2; pid ${dir}/nginx.pid; error_log ${dir}/error.log; daemon off;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  keepalive_requests 100000000; upstream u { server 127.0.0.1:${upstream}; keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`);
  const child = spawn('nginx', ['-c', conf, '-e', join(dir, 'error.log')], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: 'ignore' });
  child.on('error', () => {});
  children.push(child);
  await sleep(500);
  return child.exitCode === null ? port : 0;
}

/** From the registry, once, outside the tree; bound to loopback. */
async function portkey() {
  const home = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'yicheng', 'bench-portkey');
  const main = join(home, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  mkdirSync(home, { recursive: true });
  if (!existsSync(main)) spawnSync('npm', ['install', '--prefix', home, '--no-audit', '--no-fund', '@portkey-ai/gateway'], { stdio: 'ignore' });
  if (!existsSync(main)) return 0;
  const port = await freePort(), loopback = join(dir, 'loopback.cjs');
  writeFileSync(loopback, `const net = require('net'), listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...a) { if (typeof a[0] === 'object' && a[0]) a[0] = { ...a[0], host: '127.0.0.1' }; else if (typeof a[0] === 'number') a = [{ port: a[0], host: '127.0.0.1' }, a.find((x) => typeof x === 'function')]; return listen.apply(this, a); };\n`);
  const child = spawn(process.execPath, ['--require', loopback, main, `--port=${port}`, '--headless'], { stdio: 'ignore' });
  children.push(child);
  for (let i = 0; i < 100; i++) {
    try {
      await fetch(`http://127.0.0.1:${port}/`);
      return port;
    } catch { await sleep(100); }
  }
  return 0;
}

/** Microseconds of CPU that processes used so far; a call's share is steadier than rates on a shared machine. */
const cpu = (pids) => pids.reduce((sum, pid) => sum + readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).reduce((a, b) => a + Number(b) * 10_000, 0), 0);
function measured(pids, ...args) {
  const before = cpu(pids), r = wrk(...args);
  return { ...r, cpu: (cpu(pids) - before) / r.n };
}
const memory = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const line = (name, r) => console.log(`${name.padEnd(44)} ${r.rate.toFixed(0).padStart(7)} req/s  p50 ${r.p50}  p99 ${r.p99}${r.cpu ? `  ${r.cpu.toFixed(1)} us of CPU a call` : ''}${r.bad ? `  not 200: ${r.bad}` : ''}`);

const up = await fakeUpstream(join(build, 'tests/gateway/fake_upstream'));
const slow = await fakeUpstream(join(build, 'tests/gateway/fake_upstream'), 100, 200);
const centre = await gatewayCentre(yicheng, scratch(), [
  { name: 'fake', base_url: `http://127.0.0.1:${up.port}` },
  { name: 'slow', base_url: `http://127.0.0.1:${slow.port}` },
], ['http.access_log=false']);
try {
  const auth = { Authorization: `Bearer ${centre.key}` };
  await centre.admin('PUT', '/api/limits', { tenant: 'city', level: 'tenant', requests_per_minute: 1000000000, tokens_per_minute: 1000000000000 });
  const nginxPort = await nginx(up.port), portkeyPort = await portkey(), our = [centre.server.child.pid];
  wrk(centre.server.port, auth, body, 2);
  const ours = measured(our, centre.server.port, auth), direct = wrk(up.port, {});
  line('ours: key, limits, meter, log', ours);
  line('the upstream itself', direct);
  if (nginxPort) {
    const parent = children[0].pid, workers = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ');
    const theirs = measured(workers, nginxPort, {}), again = measured(our, centre.server.port, auth);
    line('nginx proxy_pass, kept connections', theirs);
    line('ours again', again);
    console.log(`ours is ${((ours.rate + again.rate) / 2 / theirs.rate).toFixed(2)} of nginx`);
  } else console.log('nginx is missing: left out');
  if (portkeyPort) {
    const headers = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `http://127.0.0.1:${up.port}/v1`, Authorization: 'Bearer x' };
    wrk(portkeyPort, headers, body, 2);
    const theirs = wrk(portkeyPort, headers);
    line('@portkey-ai/gateway', theirs);
    console.log(`ours is ${(ours.rate / theirs.rate).toFixed(1)} times Portkey`);
  } else console.log('@portkey-ai/gateway is not to be had: left out');
  for (const rate of [500, 1000]) {
    const bare = pace(up.port, rate, []), through = pace(centre.server.port, rate, [`Authorization: Bearer ${centre.key}`]);
    console.log(`at ${rate}/s over 32 connections: direct ${bare.out}\n${''.padEnd(30)} ours   ${through.out}`);
    console.log(`${''.padEnd(30)} added  p50 ${(through.p50 - bare.p50).toFixed(3)} ms, p99 ${(through.p99 - bare.p99).toFixed(3)} ms`);
  }
  line('ours, streams of 20 events', measured(our, centre.server.port, auth, streamBody));
  /* The programs above held this thread up: connections that the server closed meanwhile are noticed now. */
  await new Promise((done) => setTimeout(done, 500));
  const before = memory(centre.server.child.pid);
  const streams = await Promise.all(Array.from({ length: 2000 }, async () => {
    const r = await fetch(`${centre.server.base}/v1/chat/completions`, { method: 'POST', headers: { ...auth, 'content-type': 'application/json' }, body: streamBody.replace('fake', 'slow') });
    const text = await r.text();
    return r.status === 200 && text.endsWith('data: [DONE]\n\n') && text.split('" word"').length === 101;
  }));
  const after = memory(centre.server.child.pid);
  console.log(`2,000 streams at once of 100 events in 20 s: ${streams.filter(Boolean).length} whole; memory ${before.toFixed(0)} -> ${after.toFixed(0)} MB, ${((after - before) * 1024 / 2000).toFixed(0)} KiB a stream`);
  if (process.env.MILLION) {
    let n = 0, bad = 0;
    for (let round = 0; n < 1_000_000; round++) {
      const r = wrk(centre.server.port, auth, body, 10);
      n += r.n;
      bad += Number(r.bad) || 0;
      if (round % 3 === 0) console.log(`${n} requests: ${memory(centre.server.child.pid).toFixed(1)} MB`);
    }
    console.log(`${n} requests: ${memory(centre.server.child.pid).toFixed(1)} MB; not 200: ${bad}`);
  }
} finally {
  for (const child of children) child.kill();
  await centre.server.stop();
  up.stop();
  slow.stop();
}
process.exit(0);
