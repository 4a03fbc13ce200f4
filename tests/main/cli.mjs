// The commands as an operator types them, each a process of its own on a data directory.
//   node tests/main/cli.mjs BUILD/yicheng [part of a test's name]
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEMO_PASSWORD, signIn } from '../support/gateway.mjs';
import { Skip, equal, freePort, main, ok, run, scratch, serve, test } from '../support/tap.mjs';

const yicheng = process.argv[2];
const on = (data, ...args) => run(yicheng, ['--data', data, ...args]);
const json = (r) => {
  if (r.status !== 0) throw new Error(`exit ${r.status}: ${r.err}`);
  return JSON.parse(r.out);
};

const law = (name, days, note = '') => `# ${name}

2024年3月1日 市人民政府第十二次常务会议通过 自2024年5月1日起施行
<!-- INFO END -->

## 第一章 总则

第一条 为了规范共享单车停放，维护道路交通秩序，根据有关法律法规，结合本市实际，制定本办法。

第二条 本市行政区域内共享单车的投放、停放和管理，适用本办法。

## 第二章 停放

第三条 共享单车应当停放在划定的停放区内，不得占用盲道。违反规定的，运营企业应当在${days}小时内清理。${note}

第四条 市城市管理部门负责共享单车停放的监督管理工作。
`;

function library(n, days = '四十八') {
  const dir = scratch();
  for (let i = 0; i < n; i++)
    writeFileSync(join(dir, `rule-${String(i).padStart(4, '0')}.md`), law(`第${i}号示范区共享单车停放管理办法`, days, `本条供第${i}号示范区使用。`));
  return dir;
}

test('imports, asks and cites the very words', () => {
  const data = scratch(), docs = scratch();
  writeFileSync(join(docs, 'bike.md'), law('云汀市共享单车停放管理办法', '四十八'));
  const report = json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  equal([report.n_documents, report.n_failed], [1, 0], 'report');
  const answer = json(on(data, 'ask', 'rules', '共享单车乱停放，企业要多少小时清理？', '--json'));
  ok(!answer.refused, 'it was refused');
  ok(answer.text.includes('四十八小时内清理'), answer.text);
  equal(answer.hits[0].article, '第三条', 'article');
  const quote = answer.quotes[0];
  ok(answer.hits[quote.hit].text.includes(quote.text), 'the quote stands in the passage word for word');
  const article = json(on(data, 'ask', 'rules', '共享单车停放管理办法第四条', '--json'));
  equal([article.method, article.hits[0].article], ['article', '第四条'], 'article look-up');
  const refused = json(on(data, 'ask', 'rules', '明天的天气怎么样，会下雨吗', '--json'));
  ok(refused.refused && refused.text.includes('12345'), 'a refusal says whom to ask');
});

test('recognition is told to use one thread', async () => {
  const data = scratch(), docs = library(300);
  const env = { ...process.env };
  delete env.OMP_THREAD_LIMIT;
  const child = spawn(yicheng, ['--data', data, 'kb', 'import', 'rules', docs], { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  let seen = '';
  for (let i = 0; i < 200 && child.exitCode === null && !seen.includes('OMP_'); i++) {
    seen = readFileSync(`/proc/${child.pid}/environ`, 'latin1');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  equal(await ended, 0, 'exit');
  ok(seen.split('\0').includes('OMP_THREAD_LIMIT=1'), 'the variable is not in its environment');
});

test('an unchanged file costs nothing, a changed one is one file', () => {
  const data = scratch(), docs = library(30);
  equal(json(on(data, 'kb', 'import', 'rules', docs, '--json')).n_documents, 30, 'documents');
  const again = json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  equal([again.n_unchanged, again.n_versions, again.n_passages], [30, 0, 0], 'second import');
  writeFileSync(join(docs, 'rule-0003.md'), law('第3号示范区共享单车停放管理办法', '七十二', '本条供第3号示范区使用。'));
  const changed = json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  equal(changed.n_unchanged, 29, 'unchanged');
  const answer = json(on(data, 'ask', 'rules', '第3号示范区共享单车停放管理办法规定几小时内清理？', '--json'));
  ok(answer.text.includes('七十二'), answer.text);
  equal(on(data, 'check').status, 0, 'check');
});

test('what cannot be read is reported with its reason and stops nothing', () => {
  const data = scratch(), docs = library(3);
  writeFileSync(join(docs, 'program.docx'), Buffer.from('\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0', 'latin1'));
  writeFileSync(join(docs, 'empty.txt'), '');
  writeFileSync(join(docs, 'broken.json'), '{"a": [1, 2');
  const r = json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  equal(r.n_documents, 3, 'documents');
  equal(r.failures.length, 3, 'failures');
  for (const f of r.failures) ok(f.path && f.code && f.why.length > 10, JSON.stringify(f));
});

test('check is clean, and finds each planted change', () => {
  if (run('sqlite3', ['--version']).status !== 0) throw new Skip('sqlite3 is not installed');
  const data = scratch(), docs = library(5);
  json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  const clean = json(on(data, 'check', '--json'));
  equal(clean.faults, 0, 'faults');
  const plant = (what, change) => {
    const copy = scratch();
    cpSync(data, copy, { recursive: true });
    change(copy);
    const r = on(copy, 'check');
    ok(r.status === 1 && /FAULT/.test(r.out + r.err), `${what} was not found: ${r.out}${r.err}`);
  };
  const files = (dir) => readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => join(e.parentPath ?? e.path, e.name));
  const flip = (path) => {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(path, bytes);
  };
  // The tables refuse it; who takes the triggers away first is found by the chain.
  const sql = (d, ...statements) => run('sqlite3', [join(d, 'yicheng.db'), statements.join(';')]);
  const bare = ['DROP TRIGGER ledger_no_update', 'DROP TRIGGER ledger_no_delete'];
  const change = "UPDATE ledger_entries SET actor = 'user:nobody' WHERE number = 1";
  const refused = sql(data, change);
  ok(refused.status !== 0 && refused.err.includes('append-only'), refused.err);
  plant('a changed ledger entry', (d) => equal(sql(d, ...bare, change).status, 0, 'planting'));
  plant('a removed ledger entry', (d) => equal(sql(d, ...bare, 'DELETE FROM ledger_entries WHERE number = 1').status, 0, 'planting'));
  plant('a changed object', (d) => flip(files(join(d, 'objects'))[0]));
  plant('a changed index', (d) => flip(files(join(d, 'index'))[0]));
  const copy = scratch();
  cpSync(data, copy, { recursive: true });
  sql(copy, ...bare, 'DELETE FROM ledger_entries WHERE number = (SELECT MAX(number) FROM ledger_entries)');
  equal(on(copy, 'check', '--head', clean.ledger_head_sha256).status, 1, 'a cut tail, with the head noted before');
});

test('a backup comes back whole and proven', () => {
  const data = scratch(), docs = library(8), folder = join(scratch(), 'backup'), back = join(scratch(), 'restored');
  json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  const first = json(on(data, 'backup', folder, '--json'));
  ok(first.copied > 0, 'objects were copied');
  equal(json(on(data, 'backup', folder, '--json')).copied, 0, 'a second backup copies nothing');
  json(on(back, 'restore', folder, '--json'));
  equal(json(on(back, 'check', '--json')).faults, 0, 'faults after the restore');
  const question = '第5号示范区共享单车停放管理办法第三条';
  equal(json(on(back, 'ask', 'rules', question, '--json')).text, json(on(data, 'ask', 'rules', question, '--json')).text, 'answer');
  equal(on(back, 'restore', folder).status, 1, 'a restore over data is refused');
  const object = readdirSync(join(folder, 'objects'), { recursive: true, withFileTypes: true }).find((e) => e.isFile());
  writeFileSync(join(object.parentPath ?? object.path, object.name), 'changed');
  const bad = on(join(scratch(), 'x'), 'restore', folder);
  ok(bad.status === 1 && /hash/.test(bad.err), `a changed object in the backup is refused: ${bad.err}`);
});

test('keys are kept apart from the backup, and the vault opens again with them alone', async () => {
  const data = scratch(), folder = join(scratch(), 'backup'), back = join(scratch(), 'restored');
  const letter = join(scratch(), 'letter.txt'), pass = join(scratch(), 'pass'), wrong = join(scratch(), 'wrong'), kept = join(scratch(), 'keys.json');
  const global = ['--set', 'ops.demo=true'], sample = ['--sample', new URL('../../sample', import.meta.url).pathname];
  writeFileSync(letter, '联系人电话13800138000。');
  writeFileSync(pass, '紫藤路口的梧桐树下有三只猫\n');
  writeFileSync(wrong, '紫藤路口的梧桐树下有四只猫\n');
  const reveal = async (at, text) => {
    const server = await serve(yicheng, at, { global, serve: at === data ? sample : [] });
    try {
      const steward = await signIn(server.base, 'demo-steward', DEMO_PASSWORD);
      return await steward('POST', '/api/privacy/reveal', { text, reason: '核对原件' });
    } finally { await server.stop(); }
  };
  const masked = on(data, 'privacy', 'mask', letter, '--mode', 'vault').out;
  ok(/\[yc:mobile:1:/.test(masked), masked);
  const shown = await reveal(data, masked);
  equal(shown.status, 200, JSON.stringify(shown.body));
  ok(shown.body.text.includes('13800138000'), 'revealed before');
  const made = on(data, 'backup', folder, '--json');
  ok(json(made).without_keys.includes('privacy.key') && /privacy\.key/.test(made.err), 'a backup says which keys it leaves out');
  ok(!readdirSync(folder, { recursive: true }).some((f) => String(f).endsWith('.key')), 'no key in the backup');
  equal(on(data, 'keys', 'save', kept, '--passphrase-file', join(scratch(), 'none')).status, 1, 'no passphrase');
  ok(json(on(data, 'keys', 'save', kept, '--passphrase-file', pass, '--json')).keys >= 2, 'keys saved');
  equal(statSync(kept).mode & 0o777, 0o600, 'for its owner alone');
  const restored = on(back, 'restore', folder, '--json');
  ok(json(restored).without_keys.includes('privacy.key') && /WARNING/.test(restored.err) && /警告/.test(restored.err), restored.err);
  const closed = await reveal(back, masked);
  ok(closed.status >= 500 && !JSON.stringify(closed.body).includes('13800138000'), 'closed without the key');
  ok(/privacy\.key/.test(on(back, 'privacy', 'mask', letter, '--mode', 'vault').err), 'and it says which key is missing');
  ok(!existsSync(join(back, 'privacy.key')), 'no other key is made in its place');
  const refused = on(back, 'keys', 'load', kept, '--passphrase-file', wrong);
  ok(refused.status === 1 && /passphrase/.test(refused.err) && !existsSync(join(back, 'privacy.key')), refused.err);
  const loaded = json(on(back, 'keys', 'load', kept, '--passphrase-file', pass, '--json'));
  ok(loaded.replaced >= 1, 'what the restore had made in the meantime is set aside');
  equal(json(on(back, 'keys', 'load', kept, '--passphrase-file', pass, '--json')).replaced, 0, 'twice is once');
  const open = await reveal(back, masked);
  equal(open.status, 200, JSON.stringify(open.body));
  ok(open.body.text.includes('13800138000'), 'revealed after');
  equal(on(back, 'privacy', 'mask', letter, '--mode', 'vault').out, masked, 'the same token as before');
  /* Keys first, then the restore: nothing to warn of. */
  const third = join(scratch(), 'third');
  json(on(third, 'keys', 'load', kept, '--passphrase-file', pass, '--json'));
  equal(json(on(third, 'restore', folder, '--json')).without_keys.length, 0, 'nothing is missing');
});

test('the sample city is whole after loadings that were killed, and over a restored backup', async () => {
  const once = scratch(), killed = scratch(), folder = join(scratch(), 'backup'), back = join(scratch(), 'restored');
  const folderOf = new URL('../../sample', import.meta.url).pathname;
  const load = async (at) => (await serve(yicheng, at, { global: ['--set', 'ops.demo=true'], serve: ['--sample', folderOf] })).stop();
  const counts = (at) => [
    json(on(at, 'kb', 'list', '--json')).items.map((b) => [b.name, b.n_documents, b.n_passages]),
    json(on(at, 'data', 'list', '--json')).items.map((d) => [d.name, d.latest, d.n_records]),
  ];
  const start = Date.now();
  await load(once);
  const took = Date.now() - start, whole = counts(once);
  ok(whole[0].length >= 5 && whole[1].length >= 5, JSON.stringify(whole));
  let cut = 0;
  for (let i = 1; i <= 6 && !existsSync(join(killed, 'sample.loaded')); i++) {
    const child = spawn(yicheng, ['--data', killed, '--set', 'ops.demo=true', '--set', `http.port=${await freePort()}`, 'serve', '--sample', folderOf],
      { stdio: 'ignore' });
    await new Promise((r) => setTimeout(r, took * (0.15 + 0.12 * i)));
    cut += !existsSync(join(killed, 'sample.loaded'));
    child.kill('SIGKILL');
    await new Promise((r) => child.on('exit', r));
  }
  ok(cut > 0, 'no loading was cut short');
  await load(killed);
  equal(counts(killed), whole, 'what is there after killed loadings');
  /* Nothing but the mark is missing: everything exists, and nothing is made twice. */
  json(on(killed, 'backup', folder, '--json'));
  json(on(back, 'restore', folder, '--json'));
  ok(!existsSync(join(back, 'sample.loaded')), 'the mark is no part of a backup');
  await load(back);
  equal(counts(back), whole, 'what is there over a restored backup');
  equal(on(back, 'check').status, 0, 'everything fits');
});

test('what was talked about does not answer a question of something else', async () => {
  const data = scratch(), file = join(scratch(), 'talks.jsonl');
  await (await serve(yicheng, data, { global: ['--set', 'ops.demo=true'], serve: ['--sample', new URL('../../sample', import.meta.url).pathname] })).stop();
  const first = { question: '临时救助怎么申请？', gold: [{ title: '云汀市临时救助实施办法' }] };
  writeFileSync(file, ['明天会下雨吗？', '推荐一部电影', '附近有什么好吃的'].map((question) => JSON.stringify({ turns: [first, { question, gold: [] }] })).join('\n') + '\n');
  const report = json(on(data, 'eval', 'retrieval', '--questions', file, '--json'));
  equal([report.answered_rate, report.refusal_recall], [1, 1], 'answered and refused');
});

test('an import killed with -9 at twenty moments loses and doubles nothing', async () => {
  const data = scratch(), docs = library(600);
  const whole = json(on(scratch(), 'kb', 'import', 'rules', docs, '--json'));
  let kills = 0;
  for (let i = 0; i < 20; i++) {
    const child = spawn(yicheng, ['--data', data, 'kb', 'import', 'rules', docs, '--json'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal)));
    await new Promise((r) => setTimeout(r, 5 + Math.random() * (i < 10 ? 60 : 400)));
    child.kill('SIGKILL');
    kills += (await ended) === 'SIGKILL';
  }
  ok(kills > 0, 'no kill came in time');
  json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  const base = json(on(data, 'kb', 'list', '--json')).items[0];
  equal([base.n_documents, base.n_passages], [whole.n_documents, whole.n_passages], `after ${kills} kills`);
  equal(json(on(data, 'check', '--json')).faults, 0, 'faults');
  const answer = json(on(data, 'ask', 'rules', '第599号示范区共享单车停放管理办法第三条', '--json'));
  ok(answer.text.includes('第599号'), answer.text);
});

const below = (dir) => readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => join(e.parentPath ?? e.path, e.name));
/** As if everything that is stored had been stored three days ago. */
const age = (data) => {
  const then = Date.now() / 1000 - 3 * 86400;
  for (const path of below(join(data, 'objects'))) utimesSync(path, then, then);
};
/** Starts a command and kills it after `ms`; whether the kill came in time. */
const killed = async (ms, ...args) => {
  const child = spawn(yicheng, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal === 'SIGKILL')));
  await new Promise((resolve) => setTimeout(resolve, ms));
  child.kill('SIGKILL');
  return ended;
};

test('what nothing refers to is collected, and only that, whenever it is killed', async () => {
  const data = scratch(), docs = library(60), rows = join(scratch(), 'rows.jsonl');
  json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  writeFileSync(rows, Array.from({ length: 50 }, (_, i) => JSON.stringify({ id: `r${i}`, text: `第${i}条记录，写的是停放管理。` })).join('\n'));
  equal(on(data, 'data', 'import', 'notes', rows).status, 0, 'import of a data set');
  for (let i = 0; i < 60; i++) // other bytes in the same files: the texts of before are named by nothing
    writeFileSync(join(docs, `rule-${String(i).padStart(4, '0')}.md`), law(`第${i}号示范区共享单车停放管理办法`, '七十二'));
  json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  const young = json(on(data, 'gc', '--json'));
  equal([young.orphans, young.removed], [0, 0], 'what is younger than a day');
  ok(young.young > 0, 'nothing was replaced');
  age(data);
  const before = json(on(data, 'check', '--json'));
  equal([before.faults, before.orphans], [0, young.young], 'orphans are counted and are no faults');
  const look = json(on(data, 'gc', '--dry-run', '--json'));
  equal([look.orphans, look.removed], [before.orphans, 0], 'a look');
  for (let i = 0; i < 6; i++) await killed(5 + Math.random() * 120, '--data', data, 'gc');
  equal(json(on(data, 'check', '--json')).faults, 0, 'faults after the kills');
  json(on(data, 'gc', '--json'));
  const after = json(on(data, 'check', '--json'));
  equal([after.faults, after.orphans, after.objects], [0, 0, before.objects - before.orphans], 'after the collection');
  ok(json(on(data, 'ask', 'rules', '第5号示范区共享单车停放管理办法第三条', '--json')).text.includes('七十二'), 'the texts in use are there');
  equal(on(data, 'data', 'export', 'notes').out.trim().split('\n').length, 50, 'the records of a data set are there');
  if (run('sqlite3', ['--version']).status === 0)
    ok(Number(run('sqlite3', [join(data, 'yicheng.db'), "SELECT COUNT(*) FROM ledger_entries WHERE action = 'objects.collect'"]).out) > 0, 'the ledger tells of it');
});

test('collecting beside an import that stores what lay there takes nothing of it', async () => {
  const docs = library(250), other = scratch(), data = scratch();
  json(on(other, 'kb', 'import', 'rules', docs, '--json'));
  json(on(data, 'kb', 'import', 'first', library(1), '--json'));
  cpSync(join(other, 'objects'), join(data, 'objects'), { recursive: true });
  age(data); // every text that the import will store lies there, old and named by nothing
  const child = spawn(yicheng, ['--data', data, 'kb', 'import', 'rules', docs], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  let runs = 0;
  for (; child.exitCode === null && runs < 200; runs++) {
    const gc = spawn(yicheng, ['--data', data, 'gc'], { stdio: 'ignore' });
    equal(await new Promise((resolve) => gc.on('exit', resolve)), 0, 'collection');
  }
  equal(await ended, 0, 'import');
  ok(runs > 0, 'nothing was collected beside it');
  json(on(data, 'gc', '--json'));
  equal(json(on(data, 'check', '--json')).faults, 0, 'faults');
});

test('a full disk is told in words and leaves what was there', () => {
  const disk = scratch();
  if (run('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]).status !== 0) throw new Skip('needs the right to mount a small tmpfs');
  try {
    const data = join(disk, 'data');
    json(on(data, 'kb', 'import', 'rules', library(3), '--json'));
    const big = scratch();
    for (let i = 0; i < 60; i++) writeFileSync(join(big, `big-${i}.txt`), `大文件${i}\n\n` + `这是第${i}个很长的文件，内容各不相同 ${Math.random()}。\n`.repeat(4000));
    const r = on(data, 'kb', 'import', 'rules', big, '--json');
    ok(r.status === 1 && /full|No space/i.test(r.err), `said: ${r.status} ${r.err}`);
    const answer = run(yicheng, ['--data', data, 'ask', 'rules', '第2号示范区共享单车停放管理办法第四条', '--json']);
    ok(answer.status === 0 && JSON.parse(answer.out).text.includes('城市管理部门'), `what was there is gone: ${answer.err}`);
  } finally {
    run('umount', ['-l', disk]);
  }
});

test('wrong words on the command line and in the configuration get the right ones', () => {
  const data = scratch();
  const unknown = run(yicheng, ['--data', data, 'improt']);
  equal(unknown.status, 2, 'exit code');
  const key = run(yicheng, ['--data', data, '--set', 'http.prot=1', 'config']);
  ok(key.status === 1 && key.err.includes('http.port'), key.err);
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'yicheng.conf'), 'http.port = many\n');
  const value = run(yicheng, ['--data', data, 'config']);
  ok(value.status === 1 && value.err.includes('line 1') && value.err.includes('whole number'), value.err);
  for (const args of [['ask'], ['kb', 'import', 'x'], ['eval', 'retrieval'], ['backup']]) equal(run(yicheng, ['--data', scratch(), ...args]).status, 2, args.join(' '));
  const missing = on(scratch(), 'kb', 'import', 'rules', '/nonexistent/folder');
  ok(missing.status === 1 && missing.err.includes('/nonexistent/folder'), missing.err);
  const nobody = on(scratch(), 'ask', 'nothing', '有吗');
  ok(nobody.status === 1 && nobody.err.includes('nothing'), nobody.err);
});

test('the description of the API has every summary in both languages', () => {
  const words = (language) => {
    const { paths } = json(on(scratch(), 'openapi', '--language', language));
    const routes = Object.values(paths).flatMap((one) => Object.values(one));
    return routes.flatMap((one) => [one.summary, ...one.parameters.map((p) => p.description ?? '')]).filter((one) => one);
  };
  const [zh, en] = [words('zh'), words('en')];
  ok(zh.length > 400 && zh.length === en.length, `${zh.length} and ${en.length} summaries`);
  equal(zh.filter((one) => !/[\u4e00-\u9fff]/.test(one)), [], 'no line in src/http/words_zh_api.def');
  equal(en.filter((one) => /[\u4e00-\u9fff]/.test(one)), [], 'English summaries');
});

test('an older program refuses newer data and changes nothing', () => {
  if (run('sqlite3', ['--version']).status !== 0) throw new Skip('sqlite3 is not installed');
  const data = scratch();
  json(on(data, 'kb', 'list', '--json'));
  const db = join(data, 'yicheng.db');
  const step = "INSERT INTO store_migrations (position, room, number, checksum, ran_ms, sql) SELECT 999, 'knowledge', 999, checksum, ran_ms, sql FROM store_migrations LIMIT 1";
  equal(run('sqlite3', [db, step]).status, 0, 'planted step');
  const r = on(data, 'kb', 'list');
  ok(r.status === 1 && /999|newer|not know/.test(r.err), r.err);
});

test('measures: a question file gives one JSON object with its figures', () => {
  const data = scratch(), docs = library(6), file = join(scratch(), 'q.jsonl');
  json(on(data, 'kb', 'import', 'rules', docs, '--json'));
  writeFileSync(file, [
    { question: '第2号示范区共享单车停放管理办法第三条', gold: [{ title: '第2号示范区共享单车停放管理办法', article: '第三条' }] },
    { question: '第4号示范区由哪个部门监督共享单车停放', gold: [{ contains: '城市管理部门负责' }] },
    { question: '火星移民怎么办理签证和登船手续', gold: [] },
  ].map((x) => JSON.stringify(x)).join('\n'));
  const report = json(on(data, 'eval', 'retrieval', '--kb', 'rules', '--questions', file, '--json'));
  for (const key of ['recall@1', 'recall@5', 'recall@10', 'hit@10', 'mrr@10', 'refusal_precision', 'refusal_recall', 'p50_ms', 'p95_ms'])
    ok(key in report, `${key} is missing`);
  equal([report.n, report.n_gold, report.n_refuse, report['hit@10']], [3, 2, 1, 1], 'figures');
  // a conversation: the second turn cannot be understood without the first
  const turns = [
    { question: '第4号示范区共享单车停放由哪个部门监督', gold: [{ contains: '城市管理部门负责' }] },
    { question: '那第三条怎么说', gold: [{ title: '第4号示范区共享单车停放管理办法' }] },
  ];
  writeFileSync(file, JSON.stringify({ turns }));
  const talk = json(on(data, 'eval', 'retrieval', '--kb', 'rules', '--questions', file, '--json'));
  equal([talk.n, talk.n_gold, talk.n_followups], [2, 2, 1], 'turns');
  ok(talk['followup_hit@10'] === 1, 'the follow-up finds what its conversation is about');
  ok('record_accuracy' in talk && 'field_accuracy' in talk, 'record and field are told apart');
  writeFileSync(file, '{"turns": [{"question": "x"}]}\n');
  ok(/a turn needs/.test(on(data, 'eval', 'retrieval', '--kb', 'rules', '--questions', file).err), 'a bad turn is named');
  writeFileSync(file, '{"question": "x"}\n');
  const bad = on(data, 'eval', 'retrieval', '--kb', 'rules', '--questions', file);
  ok(bad.status === 1 && bad.err.includes('line 1'), bad.err);
});

ok(existsSync(yicheng) && statSync(yicheng).isFile(), `no program at ${yicheng}`);
await main();
