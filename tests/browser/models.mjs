/* The model centre: a service elsewhere is registered and asked beside another, an alias is switched and taken back. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { overflow, signIn, visit } from './browser.mjs';

/** A model server that streams its own name. */
async function modelServer() {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      if (request.url === '/v1/models') {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ object: 'list', data: [{ id: 'one' }, { id: 'two' }] }));
        return;
      }
      const { model, stream } = JSON.parse(body);
      const words = ['我是', `模型${model}`, '。'];
      const usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };
      if (!stream) {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model, choices: [{ index: 0, message: { role: 'assistant', content: words.join('') }, finish_reason: 'stop' }], usage }));
        return;
      }
      response.setHeader('content-type', 'text/event-stream');
      const chunk = (rest) => response.write(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model, ...rest })}\n\n`);
      for (const content of words) chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
      chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
      chunk({ choices: [], usage });
      response.end('data: [DONE]\n\n');
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return server;
}

export function models(world) {
  const enter = async (name) => {
    const one = await visit(world.browser);
    await signIn(one.page, world.url, name, world.demo);
    await one.page.waitForSelector('nav.menu');
    return one;
  };

  test('services are registered and tried, an alias is switched and taken back, two models answer side by side', async () => {
    const server = await modelServer();
    const { context, page, faults } = await enter('demo-system_admin');
    for (const name of ['one', 'two']) {
      await page.goto(`${world.url}/console/endpoints`);
      await page.click('button:has-text("登记服务")');
      await page.fill('[name=endpoint-name]', `service-${name}`);
      await page.fill('[name=endpoint-model]', `walk-${name}`);
      await page.fill('[name=endpoint-url]', `http://127.0.0.1:${server.address().port}`);
      await page.fill('[name=endpoint-upstream]', name);
      await page.click('.el-dialog button[type=submit]');
      await page.locator('table.list tbody tr', { hasText: `service-${name}` }).waitFor();
    }
    await page.locator('table.list tbody tr', { hasText: 'service-one' }).locator('button:has-text("测试")').click();
    await page.waitForSelector('.el-message-box:has-text("通了")');
    await page.locator('.el-message-box button').last().click();
    await page.goto(`${world.url}/console/models`);
    await page.waitForSelector('table.list:has-text("walk-one")');
    assert.equal(await overflow(page), 0);

    await page.goto(`${world.url}/console/aliases`);
    await page.click('button:has-text("新建别名")');
    await page.fill('[name=alias-name]', 'walk-chat');
    const target = page.locator('.el-dialog fieldset .el-select');
    const choose = async (name) => {
      await target.click();
      await page.locator('.el-select-dropdown__item:visible', { hasText: new RegExp(`^${name}$`) }).click();
    };
    await choose('walk-one');
    await page.click('.el-dialog button[type=submit]');
    const row = page.locator('table.list tbody tr', { hasText: 'walk-chat' });
    await row.waitFor();
    await row.locator('button:has-text("修改")').click();
    await choose('walk-two');
    await page.click('.el-dialog button[type=submit]');
    await page.locator('table.list tbody tr:has-text("walk-chat"):has-text("walk-two")').waitFor();
    await row.locator('button:has-text("退回上一步")').click();
    await page.locator('.el-message-box button', { hasText: '退回' }).last().click();
    await page.locator('table.list tbody tr:has-text("walk-chat"):has-text("walk-one")').waitFor();
    assert.deepEqual(faults, []);
    await context.close();

    const developer = await enter('demo-developer');
    await developer.page.goto(`${world.url}/console/playground`);
    await developer.page.fill('[name=question]', '你是谁');
    const lanes = developer.page.locator('.lanes .el-select');
    for (const [i, name] of ['walk-chat', 'walk-two'].entries()) {
      await lanes.nth(i).click();
      await developer.page.locator('.el-select-dropdown__item:visible', { hasText: new RegExp(`^${name}$`) }).click();
      await developer.page.waitForFunction(() => ![...document.querySelectorAll('.el-select__popper')].some((one) => one.offsetParent !== null || getComputedStyle(one).display !== 'none'));
    }
    await developer.page.click('button:has-text("同时提问")');
    await developer.page.locator('.lane-text', { hasText: '我是模型one。' }).waitFor();
    await developer.page.locator('.lane-text', { hasText: '我是模型two。' }).waitFor();
    await developer.page.locator('.lanes', { hasText: '答 3 词元' }).waitFor();
    assert.equal(await overflow(developer.page), 0);

    await developer.page.goto(`${world.url}/console/usage`);
    const times = developer.page.locator('.latency-table tbody tr', { hasText: 'walk-two' });
    await times.waitFor();
    assert.equal((await times.locator('td').allInnerTexts()).filter((words) => /^[\d.,]+ (毫秒|秒)$/.test(words)).length, 9);
    await developer.page.click('.latency label:has-text("首字")');
    await developer.page.click('label:has-text("今天")');
    await times.waitFor();
    assert.equal(await overflow(developer.page), 0);
    assert.deepEqual(developer.faults, []);
    await developer.context.close();
    server.closeAllConnections();
    server.close();
  });

  test('from a release to what its model answered, and from one answer back to the sources', async () => {
    const steward = await enter('demo-steward');
    const ask = (page, method, path, body) => page.evaluate(async ([m, p, b]) => {
      const session = await (await fetch('/api/session')).json();
      const response = await fetch(p, { method: m, headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': session.csrf_token, 'If-Match': '*' }, ...(b && { body: JSON.stringify(b) }) });
      return response.json();
    }, [method, path, body]);
    const { items: releases } = await ask(steward.page, 'GET', '/api/releases');
    const walked = releases.find((one) => one.name === 'walk-release');
    assert.ok(walked, 'data.mjs makes the release "walk-release"');
    await steward.context.close();
    const admin = await enter('demo-system_admin');
    const model = await ask(admin.page, 'GET', '/api/models/walk-two');
    const changed = await ask(admin.page, 'PATCH', `/api/model_versions/${model.versions[0].id}`, { lineage: { data_releases: [walked.id], training_runs: ['walk-training'] } });
    assert.deepEqual(changed.lineage?.training_runs, ['walk-training'], JSON.stringify(changed));
    await admin.context.close();

    const { context, page, faults } = await enter('demo-developer');
    await page.goto(`${world.url}/console/data_lineage?kind=release&id=${encodeURIComponent(walked.id)}`);
    const answers = page.locator('g.node-answers');
    await answers.waitFor({ timeout: 15_000 }); /* counted every five seconds */
    assert.match(await answers.innerHTML(), /1 次答复/);
    /* Its source was withdrawn in the walk before: the answers carry the mark. */
    assert.match(await answers.innerHTML(), /已撤回/);
    await answers.focus();
    await page.keyboard.press('Enter');
    await page.locator('.lineage-side', { hasText: '由模型 walk-two:1 作答' }).waitFor();
    assert.equal(await overflow(page), 0);
    if (process.env.LINEAGE_SHOTS) await page.screenshot({ path: `${process.env.LINEAGE_SHOTS}/answers.png` });
    await page.click('.lineage-side a:has-text("打开")');
    const row = page.locator('table.list tbody tr', { hasText: 'walk-two:1' });
    await row.first().waitFor();
    assert.equal(await overflow(page), 0);
    await row.first().locator('button:has-text("详情")').click();
    await page.locator('.el-dialog', { hasText: '我是模型two。' }).waitFor();
    if (process.env.LINEAGE_SHOTS) await page.screenshot({ path: `${process.env.LINEAGE_SHOTS}/call.png` });
    await page.click('.el-dialog a:has-text("倒查数据来源")');
    await page.locator('g.node-answer').waitFor();
    await page.locator('g.node-source').first().waitFor();
    const words = (await page.locator('svg').allTextContents()).join(' ');
    for (const one of ['一次答复', 'walk-two', 'walk-training', '发布', 'walk-labelled', '走查留言']) assert.ok(words.includes(one), `no ${one} in the drawing: ${words}`);
    if (process.env.LINEAGE_SHOTS) await page.screenshot({ path: `${process.env.LINEAGE_SHOTS}/back.png` });
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });
}
