// The whole program with the sample city, asked by OpenAI's own client with a key made through the API.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI, { AuthenticationError, NotFoundError } from 'openai';
import { DEMO_PASSWORD, startCenter } from '../browser/center.mjs';

let center, client, key, cookie, csrf;

async function api(method, path, body) {
  const answer = await fetch(center.url + path, {
    method,
    headers: { 'content-type': 'application/json', ...(cookie && { cookie, 'x-csrf-token': csrf }) },
    body: body && JSON.stringify(body),
  });
  return { answer, body: answer.status === 204 ? null : await answer.json() };
}

before(async () => {
  center = await startCenter();
  const signIn = await api('POST', '/api/session', { name: 'demo-developer', password: DEMO_PASSWORD });
  assert.equal(signIn.answer.status, 200);
  cookie = signIn.answer.headers.get('set-cookie').split(';')[0];
  csrf = signIn.body.csrf_token;
  const made = await api('POST', '/api/keys', {
    name: 'client test', permissions: ['knowledge.ask', 'knowledge.read'], knowledge_bases: ['policy', 'faq'],
  });
  assert.equal(made.answer.status, 201);
  key = made.body;
  client = new OpenAI({ apiKey: key.key, baseURL: `${center.url}/v1`, maxRetries: 0 });
});

after(() => center?.stop());

test('a key sees the bases it was made for and no other', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids.sort(), ['kb:faq', 'kb:policy']);
  const ask = client.chat.completions.create({ model: 'kb:internal', messages: [{ role: 'user', content: '密码' }] });
  await assert.rejects(ask, NotFoundError);
});

test('an answer is cited, and its links open the quoted words', async () => {
  const answer = await client.chat.completions.create({
    model: 'kb:policy', messages: [{ role: 'user', content: '云汀市养犬要办理登记吗' }],
  });
  const { content, annotations } = answer.choices[0].message;
  assert.ok(annotations.length > 0);
  for (const { url_citation: c } of annotations) {
    const quoted = [...content].slice(c.start_index, c.end_index).join('');
    const url = new URL(c.url);
    const [version] = url.pathname.split('/').slice(-1);
    const text = await api('GET', `/api/versions/${version}/text`);
    assert.equal(text.answer.status, 200);
    const start = Number(url.searchParams.get('start')), len = Number(url.searchParams.get('len'));
    const bytes = Buffer.from(text.body.text, 'utf8').subarray(start, start + len);
    assert.equal(bytes.toString('utf8'), quoted);
    assert.equal((await fetch(c.url)).status, 200);
  }
});

test('what the city does not know is refused in words', async () => {
  const answer = await client.chat.completions.create({
    model: 'kb:policy', messages: [{ role: 'user', content: '量子色动力学中胶子的自旋是多少' }],
  });
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.deepEqual(answer.choices[0].message.annotations, []);
  assert.ok(answer.choices[0].message.content.length > 5);
});

test('a stream says what the answer says', async () => {
  const ask = { model: 'kb:faq', messages: [{ role: 'user', content: '办狗证收费吗' }] };
  const whole = await client.chat.completions.create(ask);
  const streamed = await client.chat.completions.stream(ask).finalChatCompletion();
  assert.equal(streamed.choices[0].message.content, whole.choices[0].message.content);
});

test('a revoked key opens nothing', async () => {
  const gone = await api('DELETE', `/api/keys/${key.id}`);
  assert.ok(gone.answer.ok);
  await assert.rejects(client.models.list(), AuthenticationError);
});
