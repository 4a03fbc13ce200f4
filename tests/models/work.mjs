// work.mjs YICHENG: jobs that ask a model, with a real engine behind the gateway. The tiny model stories260K is imported,
// deployed and asked by pre-labelling and by synthesis. What it writes is nonsense; that it can write nothing but labels, that
// each call is metered, that a killed engine costs time and nothing else, is not.
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { DEMO_PASSWORD, gatewayCentre, signIn } from '../support/gateway.mjs';
import { Skip, equal, main, ok, run, scratch, test } from '../support/tap.mjs';

const yicheng = process.argv[2];
const root = new URL('../..', import.meta.url).pathname;
const model = join(process.env.YICHENG_DATASETS ?? join(root, '../shared/data'), 'tiny-models/llama2c-stories260K/data');
const LABELS = ['噪音', '路灯', '其他'];
let centre, steward, developer, server, asked = [];

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
async function must(promise) {
  const r = await promise;
  if (r.status >= 300) throw new Error(`${r.status} ${JSON.stringify(r.body)}`);
  return r.body;
}

/** Waits for a job; `meanwhile(job)` is called at each look. */
async function ended(api, id, meanwhile) {
  for (let i = 0; i < 2400; i++) {
    const job = await must(api('GET', `/api/jobs/${id}`));
    if (['done', 'failed', 'cancelled'].includes(job.state)) return job;
    await meanwhile?.(job);
    await sleep(50);
  }
  throw new Error('the job did not end');
}
async function succeeded(api, id, meanwhile) {
  const job = await ended(api, id, meanwhile);
  if (job.state !== 'done') throw new Error(`the job ${job.kind} is ${job.state}: ${job.why}`);
  return { ...job, result: typeof job.result === 'string' ? JSON.parse(job.result) : job.result };
}

/** What the meter counted for a model, all in all: { calls, prompt_tokens, completion_tokens, ... }. */
async function metered(name) {
  await sleep(1200); // the meter commits in groups
  const usage = await must(developer('GET', '/api/usage?by=model&period=day'));
  return usage.items.filter((u) => u.model === name)
    .reduce((sum, u) => ({ calls: sum.calls + u.calls, prompt: sum.prompt + u.prompt_tokens, completion: sum.completion + u.completion_tokens }), { calls: 0, prompt: 0, completion: 0 });
}

async function dataset(name, texts, kind = 'text') {
  const session = await fetch(`${centre.server.base}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'demo-steward', password: DEMO_PASSWORD }) });
  const cookie = session.headers.get('set-cookie').split(';')[0], { csrf_token } = await session.json();
  const sent = await fetch(`${centre.server.base}/api/datasets/${name}/uploads?filename=${name}.jsonl&title=${name}&kind=${kind}&licence=own`, {
    method: 'POST', headers: { cookie, 'x-csrf-token': csrf_token, 'content-type': 'application/octet-stream' },
    body: texts.map((text) => JSON.stringify({ text })).join('\n'),
  });
  const body = await sent.json();
  equal(sent.status, 202, JSON.stringify(body));
  await succeeded(steward, body.job.id);
}

const labels = (multiple = false) => ({
  show: [{ name: 'text', kind: 'text', path: 'text' }],
  fields: [{ name: 'label', kind: 'choices', to: 'text', required: true, multiple, labels: LABELS.map((value) => ({ value })) }],
});

async function project(title, set, prelabel) {
  const made = await must(steward('POST', '/api/annotation_projects', { title, dataset: set, overlap: 1, review: 0, labels: labels(), prelabel }));
  return { id: made.id, job: made.job };
}

/** The suggestion of each task, as the export to Label Studio has it. */
async function suggestions(id) {
  const tasks = await must(steward('GET', `/api/annotation_projects/${id}/export?format=label_studio`));
  return tasks.map((t) => t.predictions?.[0]?.result?.[0]?.value?.choices ?? null);
}

const letter = (i) => `第${i}号来信：东街口路灯不亮，夜里很吵。`;

test('a tiny model is imported, deployed and serves', async () => {
  if (!existsSync(join(model, 'stories260K.bin'))) throw new Skip('the model stories260K is not here');
  const data = scratch();
  mkdirSync(join(data, 'models'), { recursive: true });
  const made = run(yicheng, ['gguf', 'convert', join(model, 'stories260K.bin'), join(model, 'tok512.bin'), join(data, 'models/stories.gguf')]);
  equal(made.status, 0, made.err);
  server = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      const ask = JSON.parse(body);
      asked.push(ask);
      res.setHeader('content-type', 'application/json');
      if (ask.response_format) {
        res.writeHead(400).end(JSON.stringify({ error: { message: 'response_format is not known here', type: 'invalid_request_error' } }));
        return;
      }
      res.end(JSON.stringify({
        id: 'c', object: 'chat.completion', created: 1, model: 'm',
        choices: [{ index: 0, message: { role: 'assistant', content: '好的：{"labels":["路灯"]}' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 50, completion_tokens: 9, total_tokens: 59 },
      }));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  centre = await gatewayCentre(yicheng, data, [{ name: 'plain', base_url: `http://127.0.0.1:${server.address().port}`, upstream: 'm' }],
    ['models.threads=1', 'models.health_every=200ms', 'meter.commit=50ms']);
  developer = centre.developer;
  steward = await signIn(centre.server.base, 'demo-steward', DEMO_PASSWORD);
  const imported = await must(centre.admin('POST', '/api/model_files/import', { path: 'stories.gguf', model: 'stories' }));
  await succeeded(centre.admin, imported.job.id ?? imported.job);
  await must(centre.admin('POST', '/api/deployments', { name: 'tiny', version: 'stories', threads: 1, context: 4096, slots: 2 }));
  await must(centre.admin('POST', '/api/deployments/tiny/start', {}));
  let state;
  for (let i = 0; i < 600 && state?.state !== 'ready'; i++) {
    await sleep(100);
    state = await must(centre.admin('GET', '/api/deployments/tiny'));
    if (/llama/.test(state.why)) throw new Skip('built without llama.cpp');
  }
  equal(state.state, 'ready', state.why);
});

const needed = () => { if (!developer) throw new Skip('there is no engine'); };

test('pre-labels of a model are labels of the set, one for each item, and every call is metered', async () => {
  needed();
  await dataset('letters', Array.from({ length: 30 }, (_, i) => letter(i)));
  const before = await metered('stories');
  const made = await project('来信', 'letters', { from: 'model', model: 'stories', prompt: '来信属于哪一类？' });
  await succeeded(steward, made.job);
  const got = await suggestions(made.id);
  equal(got.length, 30);
  for (const one of got) ok(one?.length === 1 && LABELS.includes(one[0]), `${JSON.stringify(one)} is no label`);
  const after = await metered('stories');
  equal(after.calls - before.calls, 30, 'calls');
  ok(after.prompt > before.prompt && after.completion - before.completion >= 30, 'tokens');
});

test('synthesis takes what a model says in the form it was asked for, and its sums are the meter\'s', async () => {
  needed();
  await dataset('rules', Array.from({ length: 6 }, (_, i) => `第${i + 1}条 养犬人应当自取得犬只之日起${i + 10}日内办理登记。`));
  const before = await metered('stories');
  const started = await must(steward('POST', '/api/syntheses', { input: { dataset: 'rules' }, output: { dataset: 'unanswered', title: '问不到的' }, method: 'negatives', model: 'stories', per_passage: 2, seed: 7 }));
  const { result } = await succeeded(steward, started.job.id ?? started.job);
  const after = await metered('stories');
  equal(result.n_calls, result.n_passages, 'calls');
  equal(after.calls - before.calls, result.n_calls, 'metered calls');
  equal(after.prompt - before.prompt, result.prompt_tokens, 'metered tokens of prompts');
  equal(after.completion - before.completion, result.completion_tokens, 'metered tokens written');
  ok(result.n_records > 0, `no record: ${JSON.stringify(result)}`);
  const records = await must(steward('GET', '/api/datasets/unanswered/records'));
  for (const r of records.items) {
    const record = r.record ?? r.value ?? r;
    equal(record.meta.synthetic, true);
    equal(record.meta.model, 'stories');
  }
  /* Answers that do not stand in the passage are nonsense, and nonsense is refused. */
  const asked = await must(steward('POST', '/api/syntheses', { input: { dataset: 'rules' }, output: { dataset: 'answered', title: '问得到的' }, method: 'questions', model: 'stories', per_passage: 2, seed: 7 }));
  const job = await ended(steward, asked.job.id ?? asked.job);
  const said = typeof job.result === 'string' ? JSON.parse(job.result || '{}') : job.result;
  ok(job.state === 'failed' || said.n_records === 0, `a record was kept: ${JSON.stringify(said)}`);
});

test('an engine that is killed under a job costs no label and none twice', async () => {
  needed();
  await dataset('many', Array.from({ length: 240 }, (_, i) => letter(i)));
  const made = await project('很多来信', 'many');
  await succeeded(steward, made.job);
  const before = await metered('stories');
  const { job } = await must(steward('POST', `/api/annotation_projects/${made.id}/prelabels`, { from: 'model', model: 'stories' }));
  let killed = 0;
  const end = await succeeded(steward, job.id ?? job, async (j) => {
    if (j.done < 20 || killed) return;
    const { replicas_now } = await must(centre.admin('GET', '/api/deployments/tiny'));
    killed = replicas_now[0].pid;
    process.kill(killed, 'SIGKILL');
  });
  ok(killed > 0, 'nothing was killed');
  equal(end.result.n_given, 240, 'suggestions of all attempts');
  const got = await suggestions(made.id);
  equal(got.filter((one) => one?.length === 1 && LABELS.includes(one[0])).length, 240);
  const calls = (await metered('stories')).calls - before.calls;
  ok(calls >= 240 && calls <= 260, `${calls} calls for 240 items: what had been answered was asked again`);
});

test('a server that knows no schemas is asked without, once it said so', async () => {
  needed();
  await dataset('few', Array.from({ length: 5 }, (_, i) => letter(i)));
  asked = [];
  const made = await project('几封来信', 'few', { from: 'model', model: 'plain' });
  await succeeded(steward, made.job);
  equal(await suggestions(made.id), Array.from({ length: 5 }, () => ['路灯']));
  equal(asked.map((a) => Boolean(a.response_format)), [true, false, false, false, false, false]);
  equal(asked[0].response_format.json_schema.schema.properties.labels.items.enum, LABELS);
});

test('it all adds up', async () => {
  needed();
  server.close();
  const data = centre.server.child.spawnargs[centre.server.child.spawnargs.indexOf('--data') + 1];
  await centre.server.stop();
  const check = run(yicheng, ['--data', data, 'check']);
  equal(check.status, 0, check.err + check.out);
});

await main();
