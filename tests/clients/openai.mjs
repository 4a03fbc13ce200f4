// The gateway as OpenAI's own client sees it: models, answers, streams, citations, errors.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from 'openai';

let door, client, base;

function open(apiKey, options = {}) {
  return new OpenAI({ apiKey, baseURL: base, maxRetries: 0, ...options });
}

/** Characters (not UTF-16 units) of a text from start to end. */
function characters(text, start, end) {
  return [...text].slice(start, end).join('');
}

const ask = (content, more = {}) => ({ model: 'kb:city', messages: [{ role: 'user', content }], ...more });

before(async () => {
  door = spawn(process.env.DOOR, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(door.stdout, 'data');
  base = `http://127.0.0.1:${Number(line)}/v1`;
  client = open('yc_good');
});

after(async () => {
  door.stdin.end();
  await once(door, 'exit');
});

test('lists the knowledge bases that the key may ask as models', async () => {
  const ids = [];
  for await (const model of client.models.list()) {
    assert.equal(model.object, 'model');
    assert.equal(model.owned_by, 'yicheng');
    ids.push(model.id);
  }
  assert.deepEqual(ids, ['kb:city', 'kb:法规']);
  const one = await client.models.retrieve('kb:city');
  assert.equal(one.id, 'kb:city');
  assert.equal(one.created, Date.parse('2026-01-02T00:00:00Z') / 1000);
  assert.equal((await client.models.retrieve('kb:法规')).id, 'kb:法规');
  await assert.rejects(client.models.retrieve('kb:other'), NotFoundError);
});

test('answers with the whole shape', async () => {
  const { data, response } = await client.chat.completions.create(ask('养犬要登记吗')).withResponse();
  assert.match(response.headers.get('x-request-id'), /^[0-9a-f]{32}$/);
  assert.match(data.id, /^chatcmpl-/);
  assert.equal(data.object, 'chat.completion');
  assert.equal(data.model, 'kb:city');
  assert.ok(Math.abs(data.created - Date.now() / 1000) < 100);
  assert.equal(data.choices.length, 1);
  const [choice] = data.choices;
  assert.equal(choice.index, 0);
  assert.equal(choice.finish_reason, 'stop');
  assert.equal(choice.logprobs, null);
  assert.equal(choice.message.role, 'assistant');
  assert.equal(choice.message.refusal, null);
  assert.equal(choice.message.content, '🐕 养犬要登记吗 (0): 应当办理登记。');
  assert.equal(data.usage.prompt_tokens, 6);
  assert.equal(data.usage.completion_tokens, [...choice.message.content].length);
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
});

test('cites the quoted characters with a link to the place', async () => {
  const data = await client.chat.completions.create(ask('养犬要登记吗'));
  const { content, annotations } = data.choices[0].message;
  assert.equal(annotations.length, 1);
  assert.equal(annotations[0].type, 'url_citation');
  const citation = annotations[0].url_citation;
  assert.equal(characters(content, citation.start_index, citation.end_index), '应当办理登记');
  assert.equal(citation.title, '养犬管理办法 第八条');
  assert.equal(citation.url, `${base.replace('/v1', '')}/doc/v1?passage=p1&start=3&len=18`);
});

test('takes conversations, text parts and fields it does not know', async () => {
  const data = await client.chat.completions.create({
    model: 'kb:city',
    messages: [
      { role: 'system', content: 'answer in verse' },
      { role: 'user', content: '一' },
      { role: 'assistant', content: '二' },
      { role: 'user', content: [{ type: 'text', text: '三' }] },
    ],
    temperature: 0.3,
    max_completion_tokens: 5,
    seed: 1,
    user: 'somebody',
    made_up: { by: 'a client' },
  });
  assert.equal(data.choices[0].message.content, '🐕 三 (2): 应当办理登记。');
});

test('streams what it would have answered', async () => {
  const whole = await client.chat.completions.create(ask('流'));
  const stream = await client.chat.completions.create(
    ask('流', { stream: true, stream_options: { include_usage: true } }),
  );
  let text = '', finish, usage, notes = [], chunks = 0;
  for await (const chunk of stream) {
    chunks++;
    assert.equal(chunk.object, 'chat.completion.chunk');
    if (chunk.usage) usage = chunk.usage;
    const [choice] = chunk.choices;
    if (!choice) continue;
    text += choice.delta.content ?? '';
    notes = notes.concat(choice.delta.annotations ?? []);
    finish ??= choice.finish_reason;
  }
  assert.ok(chunks >= 5);
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(finish, 'stop');
  assert.deepEqual(notes, whole.choices[0].message.annotations);
  assert.deepEqual(usage, whole.usage);
});

test('the helper of the client puts the stream together', async () => {
  const runner = client.chat.completions.stream(ask('流'));
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.content, '🐕 流 (0): 应当办理登记。');
  assert.equal(final.choices[0].finish_reason, 'stop');
});

test('a stream can be left in the middle', async () => {
  for (let i = 0; i < 20; i++) {
    const stream = await client.chat.completions.create(ask('流', { stream: true }));
    for await (const chunk of stream) {
      assert.ok(chunk.id);
      break;
    }
    stream.controller.abort();
  }
  assert.ok(await client.chat.completions.create(ask('还在')));
});

test('refuses in plain words', async () => {
  const data = await client.chat.completions.create(ask('火星上怎么落户'));
  const { message, finish_reason } = data.choices[0];
  assert.equal(finish_reason, 'stop');
  assert.match(message.content, /没有找到依据/);
  assert.deepEqual(message.annotations, []);
});

test('errors are those that the client knows', async () => {
  const failing = async (promise, kind, fields) => {
    const error = await promise.then(() => assert.fail('no error'), (e) => e);
    assert.ok(error instanceof kind, `${error}`);
    for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value, name);
    assert.ok(error.message.length > 5);
  };
  const create = (c, body) => c.chat.completions.create(body);
  await failing(create(open('wrong'), ask('x')), AuthenticationError, {
    status: 401, code: 'invalid_api_key', type: 'invalid_request_error', param: null,
  });
  await failing(create(open('yc_slow'), ask('x')), RateLimitError, {
    status: 429, code: 'rate_limit_exceeded', type: 'rate_limit_error',
  });
  for (const model of ['gpt-4o', 'kb:none', 'kb:other', 'kb:'])
    await failing(create(client, { ...ask('x'), model }), NotFoundError, {
      status: 404, code: 'model_not_found', param: 'model',
    });
  await failing(create(client, { ...ask('x'), messages: [] }), BadRequestError, {
    status: 400, type: 'invalid_request_error', param: 'messages',
  });
  await failing(create(client, ask('x', { n: 2 })), BadRequestError, { param: 'n' });
  await failing(create(client, ask([{ type: 'image_url', image_url: { url: 'data:,' } }])), BadRequestError, {
    param: 'messages.0.content',
  });
  await failing(create(client, ask('x'.repeat(2 << 20))), Error, { status: 413, code: 'too_large' });
  await failing(client.embeddings.create({ model: 'kb:city', input: 'x' }), NotFoundError, {
    code: 'model_not_found', param: 'model',
  });
});
