// The centre killed in the middle of its streams, KILLS times (5 unless set): what was charged is at
// least what clients received and at most what the upstream sent, no call is open for ever, and `yicheng check` is clean.
import { equal, main, ok, run, scratch, serve, test } from '../support/tap.mjs';
import { fakeUpstream, gatewayCentre } from '../support/gateway.mjs';

const [yicheng, fake] = process.argv.slice(2), kills = Number(process.env.KILLS ?? 5), streams = 12;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Words that arrived until the connection broke. */
async function listen(base, key) {
  let words = 0, rest = '';
  try {
    const r = await fetch(`${base}/v1/chat/completions`, {
      method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'fake', stream: true, messages: [{ role: 'user', content: 'go on' }] }),
    });
    for await (const part of r.body) {
      rest += Buffer.from(part).toString();
      const lines = rest.split('\n\n');
      rest = lines.pop();
      words += lines.filter((l) => l.includes('" word"')).length;
    }
  } catch { /* it was killed */ }
  return words;
}

test('kills in the middle of streams charge what was delivered', async () => {
  const data = scratch(), each = 200;
  const up = await fakeUpstream(fake, each, 10);
  const centre = await gatewayCentre(yicheng, data, [{ name: 'fake', base_url: `http://127.0.0.1:${up.port}` }], ['meter.commit=100ms']);
  let server = centre.server, received = 0, begun = 0;
  try {
    for (let kill = 0; kill < kills; kill++) {
      const all = Array.from({ length: streams }, () => listen(server.base, centre.key));
      begun += streams;
      await sleep(200 + 137 * (kill % 7));
      await server.stop('SIGKILL');
      const words = await Promise.all(all);
      received += words.reduce((a, b) => a + b, 0);
      server = await serve(yicheng, data, { global: centre.global });
    }
    const last = await listen(server.base, centre.key);
    begun++;
    received += last;
    equal(last, each, 'words of a stream that nobody kills');
    await sleep(1500);
    await server.stop();
    server = null;
    const check = run(yicheng, ['--data', data, 'check']);
    equal(check.status, 0, `check: ${check.out}${check.err}`);
    server = await serve(yicheng, data, { global: centre.global });
    const session = await fetch(`${server.base}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'demo-developer', password: 'Kan-Yun-Ting-2026' }) });
    const cookie = session.headers.get('set-cookie').split(';')[0];
    const usage = await (await fetch(`${server.base}/api/usage?step=none&by=model`, { headers: { cookie } })).json();
    const total = usage.total;
    console.log(`# ${kills} kills, ${begun} streams: received ${received} words, charged ${total.completion_tokens} tokens in ${total.calls} calls`);
    ok(total.calls <= begun, `${total.calls} calls were charged, ${begun} were made`);
    ok(total.completion_tokens >= received, `charged ${total.completion_tokens} tokens, ${received} were received`);
    /* What was told to the meter and was still on its way when the centre died: at most a few events a stream. */
    ok(total.completion_tokens <= received + begun * 10, `charged ${total.completion_tokens} tokens for ${received} received`);
  } finally {
    await server?.stop('SIGKILL');
    up.stop();
  }
});

await main();
