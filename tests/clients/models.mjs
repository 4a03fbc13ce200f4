// Models behind the gateway as OpenAI's own client sees them, over every route: the whole program with the sample city, a key
// made through the API, and a server here that plays the model.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import OpenAI, { AuthenticationError, BadRequestError, InternalServerError, NotFoundError, RateLimitError } from 'openai';
import { scratch } from '../support/tap.mjs';
import { gatewayCentre } from '../support/gateway.mjs';

let upstream, centre, client, seen = [], cut = 0;
const usage = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 };
const chunk = (delta, finish_reason = null) => ({ id: 'chatcmpl-9', object: 'chat.completion.chunk', created: 9, model: 'far', choices: [{ index: 0, delta, finish_reason }] });

/** Plays a server of models: what it says depends on what it is asked. */
function play(path, ask, res) {
  const json = (body, status = 200) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const events = (list, end = true) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const e of list) res.write(typeof e === 'string' ? e : `data: ${JSON.stringify(e)}\n\n`);
    if (end) res.end('data: [DONE]\n\n');
  };
  if (path === '/v1/embeddings')
    return json({ object: 'list', model: 'far', data: [].concat(ask.input).map((_, index) => ({ object: 'embedding', index, embedding: [0.5, -0.25, index] })), usage: { prompt_tokens: 4, total_tokens: 4 } });
  if (path === '/v1/rerank')
    return json({ model: 'far', results: ask.documents.map((_, index) => ({ index, relevance_score: 1 / (index + 1) })), usage: { total_tokens: 6 } });
  if (path === '/v1/completions')
    return json({ id: 'cmpl-9', object: 'text_completion', created: 9, model: 'far', choices: [{ index: 0, text: ' and on', finish_reason: 'stop', logprobs: null }], usage });
  if (path === '/v1/responses' && ask.model === 'old') return json({ detail: 'Not Found' }, 404);
  if (path === '/v1/responses')
    return ask.stream
      ? events([
        `event: response.output_text.delta\ndata: ${JSON.stringify({ type: 'response.output_text.delta', item_id: 'i', output_index: 0, content_index: 0, delta: 'hello', sequence_number: 1 })}\n\n`,
        `event: response.completed\ndata: ${JSON.stringify({ type: 'response.completed', sequence_number: 2, response: { id: 'resp_9', object: 'response', model: 'far', status: 'completed', output: [], usage: { input_tokens: 5, output_tokens: 1, total_tokens: 6 } } })}\n\n`,
      ], true)
      : json({ id: 'resp_9', object: 'response', created_at: 9, model: 'far', status: 'completed', output: [{ type: 'message', id: 'm', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'hello', annotations: [] }] }], usage: { input_tokens: 5, output_tokens: 1, total_tokens: 6 } });
  const text = ask.messages.at(-1).content;
  if (text === 'refuse') return json({ error: { message: 'too long for this model', type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' } }, 400);
  if (text === 'fail') return json({ error: { message: 'cuda out of memory at 10.1.2.3', type: 'server_error' } }, 500);
  if (text === 'busy') return res.writeHead(429, { 'retry-after': '9', 'content-type': 'application/json' }).end('{"error":{"message":"slow down"}}');
  if (text === 'endless') {
    events([chunk({ role: 'assistant', content: '' })], false);
    const timer = setInterval(() => res.write(`data: ${JSON.stringify(chunk({ content: ' word' }))}\n\n`), 20);
    return res.on('close', () => { clearInterval(timer); cut++; });
  }
  const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"云汀"}' } };
  if (ask.stream && ask.tools)
    return events([chunk({ role: 'assistant', tool_calls: [{ index: 0, ...call, function: { name: 'weather', arguments: '' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] }), chunk({ tool_calls: [{ index: 0, function: { arguments: '"云汀"}' } }] }), chunk({}, 'tool_calls'),
      ...(ask.stream_options?.include_usage ? [{ ...chunk({}), choices: [], usage }] : [])]);
  if (ask.stream)
    return events([': ping\n\n', chunk({ role: 'assistant', content: '' }), chunk({ content: '你' }), chunk({ content: '好' }), chunk({ content: '\n"🐕"' }), chunk({}, 'stop'),
      ...(ask.stream_options?.include_usage ? [{ ...chunk({}), choices: [], usage }] : [])]);
  const message = ask.tools ? { role: 'assistant', content: null, tool_calls: [call] }
    : { role: 'assistant', content: ask.response_format ? '{"answer":42}' : '你好' };
  return json({ id: 'chatcmpl-9', object: 'chat.completion', created: 9, model: 'far', system_fingerprint: 'fp', choices: [{ index: 0, message, finish_reason: ask.tools ? 'tool_calls' : 'stop', logprobs: null }], usage });
}

before(async () => {
  upstream = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      seen.push({ path: req.url, headers: req.headers, body: JSON.parse(body) });
      play(req.url, seen.at(-1).body, res);
    });
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const base_url = `http://127.0.0.1:${upstream.address().port}`;
  centre = await gatewayCentre(process.env.YICHENG, scratch(), [
    { name: 'chatty', base_url, upstream: 'far' },
    { name: 'older', base_url, upstream: 'old' },
    { name: 'vectors', base_url, upstream: 'far', modality: 'embedding' },
    { name: 'ranks', base_url, upstream: 'far', modality: 'rerank' },
  ], ['meter.commit=50ms']);
  client = new OpenAI({ apiKey: centre.key, baseURL: `${centre.server.base}/v1`, maxRetries: 0 });
});

after(async () => {
  await centre?.server.stop();
  upstream?.closeAllConnections();
  upstream?.close();
});

const say = (content, more = {}) => ({ model: 'chatty', messages: [{ role: 'user', content }], ...more });

test('the models are listed with the knowledge bases that a key may ask', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  for (const id of ['chatty', 'vectors', 'ranks']) assert.ok(ids.includes(id), id);
  assert.ok(!ids.some((id) => id.startsWith('kb:')), 'the key was not made for asking');
  assert.equal((await client.models.retrieve('vectors')).id, 'vectors');
});

test('a chat goes through, and what we do not know with it', async () => {
  const { data, response } = await client.chat.completions.create(say('hi', { temperature: 0.25, odd: { deep: [1, null] } })).withResponse();
  assert.equal(data.choices[0].message.content, '你好');
  assert.equal(data.model, 'chatty');
  assert.equal(data.system_fingerprint, 'fp');
  assert.deepEqual(data.usage, usage);
  const trace = response.headers.get('x-request-id');
  const last = seen.at(-1);
  assert.equal(last.body.model, 'far');
  assert.deepEqual(last.body.odd, { deep: [1, null] });
  assert.equal(last.headers.authorization, 'Bearer sk-test');
  assert.ok(last.headers.traceparent.includes(trace), 'one trace from the client to the upstream');
});

test('a stream comes in order, with usage for who asks', async () => {
  const stream = await client.chat.completions.create(say('hi', { stream: true, stream_options: { include_usage: true } }));
  let text = '', counted = null, models = new Set();
  for await (const c of stream) {
    text += c.choices[0]?.delta?.content ?? '';
    models.add(c.model);
    if (c.usage) counted = c.usage;
  }
  assert.equal(text, '你好\n"🐕"');
  assert.deepEqual([...models], ['chatty']);
  assert.deepEqual(counted, usage);
  const plain = await client.chat.completions.create(say('hi', { stream: true }));
  for await (const c of plain) assert.equal(c.usage ?? null, null);
});

test('tools are called, whole and streamed', async () => {
  const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
  const whole = await client.chat.completions.create(say('weather', { tools, tool_choice: 'required' }));
  assert.equal(whole.choices[0].message.tool_calls[0].function.name, 'weather');
  assert.equal(seen.at(-1).body.tool_choice, 'required');
  const done = await client.chat.completions.stream(say('weather', { tools })).finalChatCompletion();
  assert.equal(done.choices[0].message.tool_calls[0].function.arguments, '{"city":"云汀"}');
});

test('a JSON schema reaches the model and its answer the client', async () => {
  const response_format = { type: 'json_schema', json_schema: { name: 'a', strict: true, schema: { type: 'object', properties: { answer: { type: 'integer' } } } } };
  const r = await client.chat.completions.create(say('count', { response_format }));
  assert.deepEqual(JSON.parse(r.choices[0].message.content), { answer: 42 });
  assert.deepEqual(seen.at(-1).body.response_format, response_format);
});

test('completions, embeddings, responses, rerank and tokenize', async () => {
  const text = await client.completions.create({ model: 'chatty', prompt: 'on' });
  assert.equal(text.choices[0].text, ' and on');
  const vectors = await client.embeddings.create({ model: 'vectors', input: ['a', 'b'], encoding_format: 'float' });
  assert.deepEqual(vectors.data.map((d) => d.embedding), [[0.5, -0.25, 0], [0.5, -0.25, 1]]);
  assert.equal(vectors.model, 'vectors');
  const response = await client.responses.create({ model: 'chatty', input: 'hi' });
  assert.equal(response.output_text, 'hello');
  const types = [];
  for await (const e of await client.responses.create({ model: 'chatty', input: 'hi', stream: true })) {
    types.push(e.type);
    if (e.type === 'response.completed') assert.equal(e.response.model, 'chatty');
  }
  assert.deepEqual(types, ['response.output_text.delta', 'response.completed']);
  const ranks = await client.post('/rerank', { body: { model: 'ranks', query: 'q', documents: ['a', 'b'] } });
  assert.equal(ranks.results.length, 2);
});

test('responses work over a server that knows chat alone', async () => {
  const before = seen.length;
  const whole = await client.responses.create({ model: 'older', instructions: 'be brief', input: 'hi', max_output_tokens: 50, temperature: 0.5 });
  assert.equal(whole.output_text, '你好');
  assert.deepEqual([whole.object, whole.status, whole.model, whole.instructions, whole.temperature], ['response', 'completed', 'older', 'be brief', 0.5]);
  assert.deepEqual([whole.usage.input_tokens, whole.usage.output_tokens, whole.usage.total_tokens], [12, 3, 15]);
  assert.deepEqual(seen.slice(before).map((s) => s.path), ['/v1/responses', '/v1/chat/completions'], 'asked in its way first');
  assert.deepEqual(seen.at(-1).body, {
    model: 'old', messages: [{ role: 'system', content: 'be brief' }, { role: 'user', content: 'hi' }], max_tokens: 50, temperature: 0.5,
  });
  const types = [];
  let text = '', sequence = 0, last;
  for await (const e of await client.responses.create({ model: 'older', input: 'hi', stream: true })) {
    assert.equal(e.sequence_number, sequence++);
    types.push(e.type);
    if (e.type === 'response.output_text.delta') text += e.delta;
    last = e;
  }
  assert.equal(text, '你好\n"🐕"');
  assert.deepEqual(types, ['response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added',
    ...Array(3).fill('response.output_text.delta'), 'response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.completed']);
  assert.equal(last.response.output[0].content[0].text, text);
  assert.equal(last.response.usage.total_tokens, 15);
  assert.deepEqual(seen.slice(before + 2).map((s) => s.path), ['/v1/chat/completions'], 'and in chat alone from then on');
  const final = await client.responses.stream({ model: 'older', input: 'hi' }).finalResponse(); // the client's own reading of the events
  assert.equal(final.output[0].content[0].text, text);
});

test('tools, schemas and turns of responses too', async () => {
  const tools = [{ type: 'function', name: 'weather', description: 'of a city', parameters: { type: 'object', properties: { city: { type: 'string' } } }, strict: true }];
  const whole = await client.responses.create({ model: 'older', input: 'weather', tools, tool_choice: { type: 'function', name: 'weather' } });
  const call = whole.output.find((item) => item.type === 'function_call');
  assert.deepEqual([call.name, call.arguments, call.call_id, call.status], ['weather', '{"city":"云汀"}', 'call_1', 'completed']);
  const { type, ...rest } = tools[0];
  assert.deepEqual(seen.at(-1).body.tools, [{ type, function: rest }]);
  assert.deepEqual(seen.at(-1).body.tool_choice, { type, function: { name: 'weather' } });
  const pieces = [];
  let done;
  for await (const e of await client.responses.create({ model: 'older', input: 'weather', tools, stream: true })) {
    if (e.type === 'response.function_call_arguments.delta') pieces.push(e.delta);
    if (e.type === 'response.completed') done = e.response;
  }
  assert.deepEqual(pieces, ['{"city":', '"云汀"}']);
  assert.equal(done.output[0].arguments, pieces.join(''));
  const format = { type: 'json_schema', name: 'a', strict: true, schema: { type: 'object', properties: { answer: { type: 'integer' } } } };
  const counted = await client.responses.create({ model: 'older', text: { format }, reasoning: { effort: 'low' }, input: [
    { role: 'developer', content: 'count' },
    { role: 'user', content: [{ type: 'input_text', text: 'what ' }, { type: 'input_text', text: 'now' }] },
    { type: 'reasoning', id: 'rs_1', summary: [] },
    { type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{}' },
    { type: 'function_call', call_id: 'c2', name: 'weather', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c1', output: 'sun' },
    { type: 'function_call_output', call_id: 'c2', output: 'rain' },
    { role: 'user', content: [{ type: 'input_text', text: 'and here?' }, { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'low' }] },
  ] });
  assert.deepEqual(JSON.parse(counted.output_text), { answer: 42 });
  const of = (id) => ({ id, type: 'function', function: { name: 'weather', arguments: '{}' } });
  assert.deepEqual(seen.at(-1).body, {
    model: 'old', reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'a', strict: true, schema: format.schema } },
    messages: [{ role: 'system', content: 'count' }, { role: 'user', content: 'what now' }, { role: 'assistant', content: null, tool_calls: [of('c1'), of('c2')] },
      { role: 'tool', tool_call_id: 'c1', content: 'sun' }, { role: 'tool', tool_call_id: 'c2', content: 'rain' },
      { role: 'user', content: [{ type: 'text', text: 'and here?' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==', detail: 'low' } }] }],
  });
  const n = seen.length;
  for (const [more, param] of [[{ previous_response_id: 'resp_1' }, 'previous_response_id'], [{ tools: [{ type: 'web_search' }] }, 'tools'],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'input'], [{ background: true }, 'background'],
    [{ tool_choice: { type: 'web_search' } }, 'tool_choice'], [{ text: { format: { type: 'grammar' } } }, 'text.format']]) {
    const e = await client.responses.create({ model: 'older', input: 'hi', ...more }).then(() => assert.fail('no error'), (error) => error);
    assert.ok(e instanceof BadRequestError, `${e}`);
    assert.equal(e.param, param);
  }
  assert.equal(seen.length, n, 'what chat has no place for is not sent');
});

test('errors are those that the client knows', async () => {
  const failing = async (promise, kind, fields) => {
    const error = await promise.then(() => assert.fail('no error'), (e) => e);
    assert.ok(error instanceof kind, `${error}`);
    for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value, name);
    assert.ok(!`${error.message}`.includes('10.1.2.3'), 'upstreams stay unnamed');
    return error;
  };
  const create = (content, more) => client.chat.completions.create(say(content, more));
  await failing(new OpenAI({ apiKey: 'yc_no', baseURL: client.baseURL, maxRetries: 0 }).models.list(), AuthenticationError, { status: 401, code: 'invalid_api_key' });
  await failing(create('x', { model: 'gpt-none' }), NotFoundError, { status: 404, code: 'model_not_found', param: 'model' });
  await failing(create('x', { model: 'vectors' }), BadRequestError, { status: 400, param: 'model' });
  await failing(create('x', { messages: undefined }), BadRequestError, { status: 400, param: 'messages' });
  await failing(create('refuse'), BadRequestError, { status: 400, code: 'context_length_exceeded', param: 'messages' });
  await failing(create('refuse', { stream: true }), BadRequestError, { code: 'context_length_exceeded' });
  await failing(create('fail'), InternalServerError, { status: 502, code: 'upstream_failed' });
  const busy = await failing(create('busy'), RateLimitError, { status: 429, code: 'upstream_rate_limited' });
  assert.equal(busy.headers.get('retry-after'), '9');
});

test('a stream that is cancelled ends at the upstream too', async () => {
  const before = cut;
  const stream = await client.chat.completions.create(say('endless', { stream: true }));
  let n = 0;
  for await (const c of stream) {
    if (c.choices[0].delta.content && ++n === 5) break;
  }
  stream.controller.abort();
  for (let i = 0; i < 100 && cut === before; i++) await new Promise((done) => setTimeout(done, 50));
  assert.equal(cut, before + 1);
});

test('a limit is told by name, with a time to come back', async () => {
  const put = await centre.admin('PUT', '/api/limits', { tenant: 'city', level: 'tenant', requests_per_minute: 1 });
  assert.ok(put.status < 300, JSON.stringify(put.body));
  let error;
  for (let i = 0; i < 3 && !error; i++) await client.chat.completions.create(say('hi')).catch((e) => { error = e; });
  assert.ok(error instanceof RateLimitError, `${error}`);
  assert.equal(error.code, 'requests_per_minute');
  assert.ok(Number(error.headers.get('retry-after')) > 0);
});

test('percentiles of the times are given by model and application, of the own tenant alone', async () => {
  const { status, body } = await centre.developer('GET', '/api/latency?by=model,application');
  assert.equal(status, 200, JSON.stringify(body));
  const one = body.items.find((row) => row.model === 'city-chat') ?? body.items[0];
  assert.ok(one && one.whole.n > 0, JSON.stringify(body));
  assert.ok(one.whole.p50_ms > 0 && one.whole.p50_ms <= one.whole.p95_ms && one.whole.p95_ms <= one.whole.p99_ms, JSON.stringify(one));
  const streamed = body.items.filter((row) => row.first.n > 0);
  assert.ok(streamed.length && streamed.every((row) => row.first.p99_ms >= row.first.p50_ms), JSON.stringify(body));
  const hours = await centre.developer('GET', '/api/latency?step=hour');
  assert.equal(hours.body.items.reduce((sum, row) => sum + row.whole.n, 0), body.items.reduce((sum, row) => sum + row.whole.n, 0));
  assert.equal((await centre.developer('GET', '/api/latency?by=colour')).status, 400);
  assert.equal((await centre.developer('GET', '/api/latency?tenant=water')).status, 403);
});

test('the log of calls shows them without numbers of people', async () => {
  await new Promise((done) => setTimeout(done, 600));
  const list = await centre.developer('GET', '/api/requests?limit=100');
  assert.equal(list.status, 200);
  assert.ok(list.body.items.length >= 15);
  const failed = await centre.developer('GET', '/api/requests?failed=true');
  assert.ok(failed.body.items.length > 0 && failed.body.items.every((r) => r.status >= 400 && r.code));
  const one = await centre.developer('GET', `/api/requests/${list.body.items.at(-1).id}`);
  assert.equal(one.body.id, list.body.items.at(-1).id);
  assert.ok(one.body.request.includes('"model"'));
  assert.ok(!JSON.stringify(list.body).includes(centre.key));
});
