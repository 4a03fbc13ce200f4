// A base whose answers a model writes, through the whole centre: endpoint, gateway, meter, check, citations. The model is
// a server of this test that says what a model might say, right and wrong.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { DEMO_PASSWORD, startCenter } from '../browser/center.mjs';

let center, model, words = '', asked = [];

function person(name) {
  let cookie, csrf;
  return async function api(method, path, body) {
    if (!cookie && path !== '/api/session') {
      const signIn = await api('POST', '/api/session', { name, password: DEMO_PASSWORD });
      cookie = signIn.answer.headers.get('set-cookie').split(';')[0];
      csrf = signIn.body.csrf_token;
    }
    const answer = await fetch(center.url + path, {
      method,
      headers: { 'content-type': 'application/json', ...(cookie && { cookie, 'x-csrf-token': csrf }) },
      body: body && JSON.stringify(body),
    });
    return { answer, body: answer.status === 204 ? null : await answer.json() };
  };
}

before(async () => {
  model = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      asked.push(JSON.parse(body || '{}'));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({
        id: 'c', object: 'chat.completion', created: 1, model: 'm',
        choices: [{ index: 0, message: { role: 'assistant', content: words }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 300, completion_tokens: 40, total_tokens: 340 },
      }));
    });
  });
  await new Promise((resolve) => { model.listen(0, '127.0.0.1', resolve); });
  center = await startCenter();
  const admin = person('demo-system_admin');
  const made = await admin('POST', '/api/endpoints', {
    name: 'writer', model: 'city-writer', provider: 'other', upstream_model: 'm', card: { modality: 'chat' },
    base_url: `http://127.0.0.1:${model.address().port}`,
  });
  assert.equal(made.answer.status, 201, JSON.stringify(made.body));
});

after(async () => {
  await center?.stop();
  model?.close();
});

test('sentences that stand are kept with their places, others are struck out, and the call is metered', async () => {
  const steward = person('demo-steward');
  const question = '养犬登记证的有效期是几年，到期怎么办？';
  const plain = await steward('POST', '/api/ask', { kb: 'policy', question });
  assert.equal(plain.answer.status, 200);
  assert.equal(plain.body.refused, false);
  assert.equal(plain.body.labels.generated, false);
  const set = await steward('PATCH', '/api/knowledge_bases/policy', { writer: 'city-writer' });
  assert.equal(set.answer.status, 200, JSON.stringify(set.body));
  const source = plain.body.hits[plain.body.quotes[0].hit].text;
  const sentence = source.split(/(?<=。)/).map((s) => s.trim()).filter((s) => s.length > 12).at(0);
  words = `${sentence.replace(/^第[^ 　]+条[ 　]*/, '')}[1]另外，每只犬每月要交九百九十元的管理费[1]。`;
  const written = await steward('POST', '/api/ask', { kb: 'policy', question });
  if (plain.body.method === 'extract') {
    assert.equal(written.body.method, 'model', JSON.stringify(written.body).slice(0, 600));
    assert.equal(written.body.labels.generated, true);
    assert.ok(written.body.written.n_struck >= 1);
    assert.ok(!written.body.text.includes('九百九十'));
    assert.match(written.body.text, /\[1\]/);
    assert.ok(asked.length >= 1 && asked.at(-1).model === 'm');
    for (const quote of written.body.quotes) {
      const { body } = await steward('GET', `/api/versions/${written.body.hits[quote.hit].version_id}/text`);
      const bytes = Buffer.from(body.text, 'utf8').subarray(quote.start, quote.start + quote.len);
      assert.equal(bytes.toString('utf8'), quote.text);
    }
  } else {
    assert.equal(asked.length, 0); /* given word for word: no model is asked */
  }
  assert.equal(plain.body.method, 'extract', 'the question no longer shows what it is for');
  const manager = person('demo-tenant_admin');
  let calls = 0;
  for (let i = 0; i < 100 && calls === 0; i++) {
    const day = (at) => new Date(at).toISOString().slice(0, 10);
    const usage = await manager('GET', `/api/usage?from=${day(Date.now() - 86400000)}&to=${day(Date.now() + 86400000)}&by=model`);
    calls = usage.body.items?.find((one) => one.model === 'city-writer')?.calls ?? 0;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  assert.equal(calls, 1);
});

test('lineage goes back from the answer to the model that wrote it, and forwards to how many it wrote', async () => {
  const manager = person('demo-tenant_admin'), steward = person('demo-steward');
  const answer = await steward('POST', '/api/ask', { kb: 'policy', question: '养犬登记证的有效期是几年，到期怎么办？' });
  const path = (kind, id) => `/api/data_lineage?kind=${kind}&id=${encodeURIComponent(id)}&way=both`;
  let back, ahead;
  for (let i = 0; i < 100 && !(back?.answer.status === 200 && ahead?.body.nodes?.[1]?.n >= 2); i++) {
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    back = await manager('GET', path('answer', answer.body.id));
    ahead = await manager('GET', path('model', 'city-writer:1'));
  }
  assert.deepEqual(back.body.edges, [{ from: 'city-writer:1', to: answer.body.id }], JSON.stringify(back.body));
  assert.deepEqual(ahead.body.edges, [{ from: 'city-writer:1', to: 'answers:city-writer:1' }], JSON.stringify(ahead.body));
  const [, answers] = ahead.body.nodes;
  assert.equal(answers.kind, 'answers');
  assert.equal(answers.n, 2);
  assert.ok(answers.first_at < answers.last_at);
  const log = await manager('GET', '/api/requests?served=city-writer:1');
  assert.equal(log.body.items.length, 2);
  const traced = await manager('GET', `/api/requests?trace=${log.body.items[0].trace}`);
  assert.deepEqual(traced.body.items.map((one) => one.id), [log.body.items[0].id]);
  const call = await manager('GET', path('answer', log.body.items[0].id));
  assert.equal(call.body.edges[0].from, 'city-writer:1');
  /* Who may not see calls learns of none by lineage; nor does anybody of one that never was. */
  assert.equal((await steward('GET', path('answer', answer.body.id))).answer.status, 403);
  assert.equal((await manager('GET', path('answer', 'chatcmpl-none'))).answer.status, 404);
});

test('a model that is away leaves the quoted answer', async () => {
  const steward = person('demo-steward');
  await new Promise((resolve) => { model.close(resolve); model.closeAllConnections(); });
  const answer = await steward('POST', '/api/ask', { kb: 'policy', question: '养犬登记证的有效期是几年，到期怎么办？' });
  assert.equal(answer.answer.status, 200);
  assert.equal(answer.body.method, 'extract');
  assert.ok(answer.body.quotes.length > 0);
});
