/* The data platform as a steward walks it: a file comes in, a pipeline is put together, tried and run, a record is
 * followed back to its source, a mixture is weighed; what was made is labelled, judged and released; a source is
 * withdrawn with all that descends from it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { menu, overflow, signIn, visit } from './browser.mjs';

const LINES = [
  ...Array.from({ length: 30 }, (_, i) => ({ text: `第${i + 1}号留言：　汀南区梧桐巷的路灯又灭了，已经是第${i + 1}个晚上,请派人来修。` })),
  { text: '第1号留言：　汀南区梧桐巷的路灯又灭了，已经是第1个晚上,请派人来修。' },
  { text: '短' },
];
const FILE = { name: '走查留言.jsonl', mimeType: 'application/jsonl', buffer: Buffer.from(`${LINES.map((one) => JSON.stringify(one)).join('\n')}\n{"text": 坏\n`) };

const steward = (world) => enter(world, 'demo-steward');

/** Chooses by its words in the select that is open. */
async function choose(page, select, words) {
  await select.click();
  await page.locator('.el-select-dropdown__item:visible', { hasText: words }).first().click();
}

async function addOperator(page, name) {
  await page.fill('[name=find-operator]', name);
  await page.locator('.palette-op', { has: page.locator('code', { hasText: new RegExp(`^${name}$`) }) }).click();
}

/** A call of the API with the session of the page. */
function api(page, method, path, body) {
  return page.evaluate(async ([method, path, body]) => {
    const session = await (await fetch('/api/session')).json();
    const response = await fetch(path, { method, headers: { 'X-CSRF-Token': session.csrf_token, 'Content-Type': 'application/json' }, body: body === null ? undefined : JSON.stringify(body) });
    const words = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${words}`);
    return words ? JSON.parse(words) : {};
  }, [method, path, body ?? null]);
}

async function jobDone(page, id) {
  for (let i = 0; i < 300; i++) {
    const job = await api(page, 'GET', `/api/jobs/${id}`);
    if (job.state === 'done') return job.result;
    assert.ok(job.state === 'queued' || job.state === 'running', `the job ${job.state}: ${job.why}`);
    await page.waitForTimeout(200);
  }
  throw new Error('the job did not end');
}

async function enter(world, name) {
  const one = await visit(world.browser);
  await signIn(one.page, world.url, name, world.demo);
  await one.page.waitForSelector('nav.menu');
  return one;
}

export function data(world) {
  test('a file that is imported becomes a data set with its card, its profile and what was refused', async () => {
    const { context, page, faults } = await steward(world);
    assert.ok((await menu(page)).includes('数据集'));
    await page.goto(`${world.url}/console/datasets`);
    await page.locator('.card', { hasText: '市民留言（样例）' }).waitFor();
    await page.click('button:has-text("导入数据")');
    await page.setInputFiles('[name=data-file]', FILE);
    await page.fill('[name=dataset]', 'walk-messages');
    await page.fill('[name=licence]', '走查授权〔2026〕1号');
    await page.click('.el-dialog button[type=submit]');
    await page.waitForURL('**/console/data_runs/*');
    await page.locator('.good-box', { hasText: '32 条' }).waitFor({ timeout: 60_000 });
    await page.click('.good-box a:has-text("查看数据集")');
    await page.locator('.figure', { hasText: '记录' }).locator('dd', { hasText: '32' }).waitFor();
    await page.locator('.bars', { hasText: '走查授权〔2026〕1号' }).waitFor();
    await page.click('.el-tabs__item:has-text("由来与丢弃")');
    await page.locator('table caption:has-text("原因")').waitFor();
    assert.match(await page.locator('.content').innerText(), /隔离/);
    await page.click('.el-tabs__item:has-text("数据卡")');
    assert.equal(await page.inputValue('[name=card-licence]'), '走查授权〔2026〕1号');
    await page.click('.el-tabs__item:has-text("记录")');
    await page.fill('[name=find-record]', '第17号留言');
    await page.keyboard.press('Enter');
    await page.locator('.record-item mark.words', { hasText: '第17号留言' }).waitFor();
    assert.equal(await page.locator('.record-item').count(), 1);
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a pipeline is put together by mouse and keyboard, read as YAML, tried, kept and run', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/pipelines/new?input=walk-messages`);
    await page.locator('.palette-op').first().waitFor();
    for (const name of ['exact_dedup', 'full_width', 'length']) await addOperator(page, name);
    await page.locator('.step').nth(2).locator('.step-form').waitFor();
    await page.locator('.step').nth(2).locator('.el-input-number input').first().fill('5');
    await page.keyboard.press('Tab');
    /* The second step goes up by the keyboard: duplicates are told apart after the characters are alike. */
    await page.locator('.step-head').nth(1).focus();
    await page.keyboard.press('Alt+ArrowUp');
    await page.locator('.step').nth(0).locator('code', { hasText: 'full_width' }).waitFor();
    await page.fill('[name=output]', 'walk-clean');
    await page.locator('.flow-state .yes', { hasText: '可以运行' }).waitFor();
    await page.click('.el-tabs__item:has-text("YAML / JSON")');
    const text = page.locator('.el-tab-pane:visible textarea');
    assert.match(await text.inputValue(), /least: 5/);
    await text.fill((await text.inputValue()).replace('least: 5', 'least: 6'));
    await page.click('button:has-text("用这段文字更新流程")');
    await page.locator('.step', { hasText: 'least = 6' }).waitFor();
    await page.locator('.flow-state .yes').waitFor();
    await page.click('.page-actions button:has-text("试运行")');
    await page.locator('.good-box', { hasText: '试了 32 条，剩下 30 条' }).waitFor({ timeout: 30_000 });
    await page.locator('.dry-step').first().locator('.diff-text del').first().waitFor();
    assert.equal(await overflow(page), 0);
    await page.click('.page-actions button:has-text("保存")');
    await page.fill('.el-message-box input', '走查清洗');
    await page.click('.el-message-box button:has-text("保存")');
    await page.waitForURL((at) => /\/pipelines\/[0-9a-f-]{36}$/.test(at.pathname));
    await page.locator('.flow-state .yes').waitFor();
    await page.click('.page-actions button:has-text("运行") >> nth=-1');
    await page.click('.el-message-box button:has-text("运行")');
    await page.waitForURL('**/console/data_runs/*');
    await page.locator('.good-box', { hasText: '30 条' }).waitFor({ timeout: 60_000 });
    await page.locator('table.steps-table tbody tr', { hasText: 'exact_dedup' }).locator('button.link', { hasText: '1' }).waitFor();
    await page.goto(`${world.url}/console/pipelines`);
    await page.locator('td a', { hasText: '走查清洗' }).first().waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a record is followed back step by step to its source', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/datasets/walk-clean?tab=records`);
    await page.locator('.record-open').first().click();
    await page.locator('.replay .event-changed', { hasText: 'full_width' }).first().waitFor();
    await page.locator('.replay .diff-text ins').first().waitFor();
    await page.locator('.trail-source', { hasText: '走查留言.jsonl' }).waitFor();
    assert.match(await page.locator('.trail-source').innerText(), /走查授权〔2026〕1号/);
    await page.goto(`${world.url}/console/datasets/walk-clean?tab=made`);
    await page.locator('td a.mono').first().click();
    await page.locator('.problem-head', { hasText: '被丢弃' }).waitFor();
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('shares of a mixture sum to 100, what it is made of is shown, and it becomes a pipeline', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/mixing`);
    for (const name of ['政策文件（样例）', '政策文件（分段）', 'walk-clean']) {
      await choose(page, page.locator('.filters .el-select').first(), name);
      await page.locator('.mix tbody tr', { hasText: name }).waitFor();
    }
    const shares = () => page.locator('.mix input[type=range]').evaluateAll((all) => all.map((one) => Number(one.value)));
    assert.equal((await shares()).reduce((a, b) => a + b, 0), 100);
    await page.locator('.mix input[type=range]').first().fill('70');
    await page.waitForFunction(() => document.querySelector('.mix input[type=range]').value === '70');
    const now = await shares();
    assert.equal(now[0], 70);
    assert.equal(now.reduce((a, b) => a + b, 0), 100);
    await page.locator('.bars', { hasText: '政策法规' }).first().waitFor();
    assert.equal(await overflow(page), 0);
    await page.click('button:has-text("生成处理流程")');
    await page.locator('.step', { hasText: 'mix' }).waitFor();
    await page.locator('.flow-state .yes', { hasText: '可以运行' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('what the pipeline made is labelled by keyboard, judged at the gate by another, released, and stands in the lineage', async () => {
    const { context, page, faults } = await steward(world);
    const project = await api(page, 'POST', '/api/annotation_projects', {
      title: '走查标注', dataset: 'walk-clean', overlap: 1, review: 0, guidelines: '按内容选择。',
      labels: { show: [{ name: 'text', kind: 'text', path: 'text' }], fields: [{ name: 'label', kind: 'choices', to: 'text', title: '属于哪一类', required: true, labels: [{ value: '路灯' }, { value: '其他' }] }] },
    });
    await jobDone(page, project.job);
    await api(page, 'PUT', `/api/annotation_projects/${project.id}/members/demo-annotator`, { work: true });
    const annotator = await enter(world, 'demo-annotator');
    await annotator.page.goto(`${world.url}/console/annotation/${project.id}/work`);
    for (let i = 0; i < 30; i++) {
      const before = await annotator.page.locator('.span-text').first().innerText();
      await annotator.page.keyboard.press('1');
      await annotator.page.locator('.chip.on', { hasText: '路灯' }).waitFor();
      await annotator.page.keyboard.press('Enter');
      await annotator.page.waitForFunction((words) => document.querySelector('.span-text')?.innerText !== words, before);
    }
    assert.deepEqual(annotator.faults, []);
    await annotator.context.close();
    const labelled = await jobDone(page, (await api(page, 'POST', `/api/annotation_projects/${project.id}/results`, { dataset: 'walk-labelled', title: '走查标注结果' })).job);
    assert.equal(labelled.n_records, 30);

    const gate = await api(page, 'POST', '/api/gates', { dataset: 'walk-labelled', purpose: 'training' });
    await jobDone(page, gate.job.id);
    /* Who made the version does not judge it. */
    const judge = await enter(world, 'zhoumin');
    for (const kind of ['manual', 'hit'])
      for (let claimed = 1; claimed > 0;) {
        const { items } = await api(judge.page, 'POST', '/api/gate_samples/claims', { gate: gate.id, kind, n: 20 });
        for (const one of items) await api(judge.page, 'PUT', `/api/gate_samples/${one.id}`, { verdict: 'ok' });
        claimed = items.length;
      }
    await judge.context.close();
    await api(page, 'POST', `/api/gates/${gate.id}/decision`, {});
    const decided = await api(page, 'GET', `/api/gates/${gate.id}`);
    assert.equal(decided.state, 'passed', JSON.stringify(decided.rules.filter((one) => one.ok === false)));
    const made = await api(page, 'POST', '/api/releases', { gate: gate.id, name: 'walk-release', title: '走查发布' });
    await jobDone(page, made.job.id);

    await page.goto(`${world.url}/console/data_lineage`);
    await choose(page, page.locator('.filters .el-select').first(), '走查留言');
    await page.locator('g.node-release').waitFor();
    const words = (await page.locator('svg').allTextContents()).join(' ');
    for (const one of ['走查留言', 'walk-messages', 'walk-clean', 'walk-labelled', '标注', '发布']) assert.ok(words.includes(one), `no ${one} in the drawing: ${words}`);
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('lineage is drawn and stands as a table; a source that is withdrawn marks all that descends from it', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/datasets/walk-clean`);
    await page.click('.page-actions a:has-text("血缘")');
    await page.locator('g.node').first().waitFor();
    const words = await page.locator('svg').allTextContents();
    for (const one of ['走查留言', 'walk-messages', 'walk-clean', '处理流程']) assert.ok(words.join(' ').includes(one), `no ${one} in the drawing`);
    await page.locator('g.node-source').first().focus();
    await page.keyboard.press('Enter');
    await page.locator('.lineage-side', { hasText: '来源' }).waitFor();
    await page.click('label:has-text("表")');
    await page.locator('table.list td a', { hasText: 'walk-clean' }).first().waitFor();
    await page.goto(`${world.url}/console/data_sources?find=${encodeURIComponent('走查留言')}`);
    await page.locator('button:has-text("撤回")').click();
    await page.locator('.el-dialog', { hasText: 'walk-clean' }).waitFor();
    const last = page.locator('.el-dialog button:has-text("撤回来源")');
    assert.equal(await last.isDisabled(), true);
    await page.fill('[name=reason]', '走查结束，授权到期');
    await page.fill('[name=phrase]', '撤回');
    await last.click();
    await page.locator('td', { hasText: '来源已撤回' }).waitFor();
    await page.goto(`${world.url}/console/datasets/walk-clean`);
    await page.locator('.problem', { hasText: '已撤回来源' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a large group of near duplicates shows all of its records', async () => {
    const { context, page, faults } = await steward(world);
    const lines = Array.from({ length: 12 }, (_, i) => `{"text": "梧桐巷的路灯又灭了，请尽快派人来修，谢谢。${'！'.repeat(i)}"}`);
    await page.goto(`${world.url}/console/datasets`);
    await page.click('.page-actions button:has-text("导入数据")');
    await page.setInputFiles('[name=data-file]', { name: '路灯.jsonl', mimeType: 'application/jsonl', buffer: Buffer.from(lines.join('\n')) });
    await page.fill('[name=dataset]', 'walk-lamps');
    await page.fill('[name=licence]', '走查授权');
    await page.click('.el-dialog button[type=submit]');
    await page.locator('.good-box', { hasText: '12 条' }).waitFor({ timeout: 60_000 });
    await page.goto(`${world.url}/console/near_duplicates?dataset=walk-lamps&version=1`);
    await page.click('button:has-text("查找近似重复")');
    const group = page.locator('.cluster');
    await group.first().waitFor({ timeout: 60_000 });
    assert.equal(await group.locator('.member').count(), 8);
    await group.locator('button:has-text("再列出 4 条")').click();
    await group.locator('.member').nth(11).waitFor();
    assert.equal(await group.locator('button:has-text("再列出")').count(), 0);
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('near duplicates are found, laid side by side, and the one that was chosen stays', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/datasets/citizen-messages`);
    await page.click('.page-actions a:has-text("近似重复")');
    await page.click('button:has-text("查找近似重复")');
    await page.locator('.cluster').first().waitFor({ timeout: 60_000 });
    const differing = page.locator('.cluster', { has: page.locator('ins, del') }).first();
    const members = differing.locator('.member');
    assert.equal(await members.count(), 2);
    assert.ok(await members.locator('.diff-text ins, .diff-text del').count());
    const going = await differing.locator('.member-stays .diff-text').innerText();
    const other = differing.locator('.member:not(.member-stays)');
    await other.locator('input[type=radio]').check();
    await differing.locator('.badge', { hasText: '已改选' }).waitFor();
    const staying = await differing.locator('.member-stays .diff-text').innerText();
    assert.notEqual(staying, going);
    const groups = await page.locator('.cluster').count();
    await page.locator('.cluster', { hasNot: page.locator('.badge') }).last().getByText('不算重复，全部保留').click();
    await page.locator('.figure', { hasText: '将去掉' }).locator('dd', { hasText: String(groups - 1) }).waitFor();
    assert.equal(await overflow(page), 0);
    await page.click('.decide button');
    await page.click('.el-message-box button:has-text("生成新版本")');
    await page.waitForURL('**/console/data_runs/*');
    await page.locator('table.steps-table tbody tr', { hasText: 'survivors' }).locator('button.link', { hasText: String(groups - 1) }).waitFor({ timeout: 60_000 });
    const { items } = await api(page, 'GET', '/api/datasets/citizen-messages/records?limit=200');
    const bare = (words) => words.replace(/\s/g, '');
    const texts = items.map((one) => bare(one.text));
    assert.ok(texts.includes(bare(staying)) && !texts.includes(bare(going)), `${going} / ${staying}`);
    assert.ok(items.every((one) => !('duplicates' in one)));
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('the reference lists every operator and finds one by what it is for', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/data_operators`);
    await page.locator('details.operator').first().waitFor();
    const all = await page.locator('details.operator').count();
    assert.ok(all >= 50, `only ${all} operators`);
    await page.fill('.filters input', 'MinHash');
    await page.locator('details.operator', { hasText: 'minhash_dedup' }).waitFor();
    assert.ok((await page.locator('details.operator').count()) < 10);
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });
}
