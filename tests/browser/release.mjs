/* The way of a data set out of the house: report, gate, judging by keyboard, release, catalogue, another tenant. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { barriers } from './axe.mjs';
import { changePassword, overflow, signIn, visit } from './browser.mjs';

const lines = (n) => Array.from({ length: n }, (_, i) => JSON.stringify({ text: `第${i}条 本市行政区域内的供水用水活动，适用本办法第${(i * 7919) % 1000}项的规定，用户应当按期缴纳水费。` })).join('\n');

/** Pictures of the pages for those who want to look: RELEASE_SHOTS names a folder. */
/* At every station: no barrier; a picture for who wants to look. */
async function picture(page, name) {
  assert.deepEqual(await barriers(page), [], name);
  const folder = process.env.RELEASE_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.waitForTimeout(400);
  await page.screenshot({ path: `${folder}/${name}.png` });
}

async function calm(page) {
  assert.equal(await overflow(page), 0, `${page.url()} is wider than its window`);
}

/** Calls the API as whoever is signed in on the page. */
function api(page, method, path, body) {
  return page.evaluate(async ([m, p, b]) => {
    const session = await (await fetch('/api/session')).json();
    const response = await fetch(p, { method: m, headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': session.csrf_token }, ...(b === undefined ? {} : { body: JSON.stringify(b) }) });
    const words = await response.text();
    if (!response.ok) throw new Error(`${m} ${p}: ${response.status} ${words}`);
    return words ? JSON.parse(words) : {};
  }, [method, path, body]);
}

async function jobDone(page, id) {
  for (;;) {
    const job = await api(page, 'GET', `/api/jobs/${id}`);
    if (job.state === 'done') return;
    if (job.state === 'failed') throw new Error(job.why);
    await page.waitForTimeout(200);
  }
}

export function release(world) {
  const enter = async (name) => {
    const one = await visit(world.browser);
    await signIn(one.page, world.url, name, world.demo);
    await one.page.waitForSelector('nav.menu');
    return one;
  };

  test('a set is reported on, judged by another person, released, offered, and used by another tenant', async () => {
    const { context, page, faults } = await enter('demo-steward');
    const made = await page.evaluate(async ([url, text]) => {
      const session = await (await fetch('/api/session')).json();
      const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/octet-stream', 'X-CSRF-Token': session.csrf_token }, body: text });
      return response.json();
    }, ['/api/datasets/walk-water/uploads?filename=water.jsonl&title=' + encodeURIComponent('供水法规') + '&licence=' + encodeURIComponent('公开法规') + '&authority=' + encodeURIComponent('市水务局'), lines(24)]);
    assert.ok(made.job, JSON.stringify(made));
    await jobDone(page, made.job.id);
    await api(page, 'PATCH', '/api/datasets/walk-water', { access: 'public' });

    /* The report. */
    await page.goto(`${world.url}/console/quality_reports`);
    await page.click('button:has-text("出具报告")');
    await page.locator('.el-dialog .el-select').first().click();
    await page.locator('.el-select-dropdown__item:visible', { hasText: '供水法规' }).click();
    await page.click('.el-dialog button[type=submit]');
    await page.waitForSelector('dl.figures:has-text("总分")');
    await page.waitForSelector('section:has-text("一致性")');
    await calm(page);
    await picture(page, 'report');
    await page.goto(`${world.url}/console/quality_reports`);
    await page.waitForSelector('table.list:has-text("供水法规")');
    await picture(page, 'reports');

    /* The gate. */
    await page.goto(`${world.url}/console/gates`);
    await page.click('button:has-text("送审")');
    await page.locator('.el-dialog .el-select').first().click();
    await page.locator('.el-select-dropdown__item:visible', { hasText: '供水法规' }).click();
    await page.locator('.el-dialog .el-select').last().click();
    await page.locator('.el-select-dropdown__item:visible', { hasText: '共享给其他单位' }).click();
    await page.click('.el-dialog button[type=submit]');
    await page.waitForSelector('.release-rule.release-good:has-text("来源有许可或授权")');
    await page.waitForSelector('.release-rule.release-wait:has-text("人工抽检")');
    await calm(page);
    await picture(page, 'gate-open');
    const gate = page.url().split('/').pop();
    /* Who made the version does not judge. */
    await page.goto(`${world.url}/console/gates/${gate}/judge`);
    await page.waitForSelector('.problem:has-text("不能评判它")');

    const annotator = await enter('demo-annotator');
    await annotator.page.goto(`${world.url}/console/gates`);
    await annotator.page.click('a:has-text("去判定")');
    await annotator.page.waitForSelector('.judge-text');
    await picture(annotator.page, 'judge');
    await annotator.page.keyboard.press('f');
    await annotator.page.waitForSelector('.judge-risks');
    await annotator.page.keyboard.press('5');
    await annotator.page.waitForSelector('.judge-list');
    await picture(annotator.page, 'judge-risks');
    await annotator.page.keyboard.press('b');
    await annotator.page.waitForSelector('text=还剩 23 条');
    for (let left = 22; left >= 0; left--) {
      await annotator.page.keyboard.press('j');
      await annotator.page.waitForSelector(left ? `text=还剩 ${left} 条` : '.good-box:has-text("都判完了")');
    }
    await calm(annotator.page);
    assert.deepEqual(annotator.faults, []);
    await annotator.context.close();

    /* 23 of 24 is 95.8 %: just not enough, and the page shows which record. */
    await page.goto(`${world.url}/console/gates/${gate}`);
    await page.waitForSelector('.release-rule.release-bad:has-text("人工抽检")');
    await page.locator('.release-rule', { hasText: '人工抽检' }).locator('button:has-text("看这 1 条记录")').click();
    await page.waitForSelector('.release-samples:has-text("不可靠")');
    await calm(page);
    await picture(page, 'gate-failed');
    await page.click('button:has-text("下结论")');
    await page.click('.el-message-box button:has-text("确定")');
    await page.waitForSelector('.badge:has-text("未通过")');

    /* A new gate, all good. */
    const second = await api(page, 'POST', '/api/gates', { dataset: 'walk-water', purpose: 'sharing' });
    await jobDone(page, second.job.id);
    const judge = await enter('demo-annotator');
    for (;;) {
      const { items } = await api(judge.page, 'POST', '/api/gate_samples/claims', { gate: second.id, kind: 'manual', n: 50 });
      if (items.length === 0) break;
      for (const one of items) await api(judge.page, 'PUT', `/api/gate_samples/${one.id}`, { verdict: 'ok' });
    }
    await judge.context.close();
    await page.goto(`${world.url}/console/gates/${second.id}`);
    await page.click('button:has-text("下结论")');
    await page.click('.el-message-box button:has-text("确定")');
    await page.waitForSelector('.badge:has-text("已通过")');
    await page.waitForSelector('.release-scope tr:has-text("A.5")');
    await page.waitForSelector('.release-beyond li:has-text("标准要求不少于 10000 个")');
    await picture(page, 'gate-passed');
    await page.click('.page-actions button:has-text("发布")');
    await page.fill('[name=release-name]', 'water-2026');
    await page.fill('[name=release-title]', '供水法规语料');
    await page.click('.el-dialog:visible button[type=submit]');
    await page.waitForSelector('h2:has-text("签名")');
    await page.waitForSelector('dd:has-text("24 条")');
    await calm(page);
    await picture(page, 'release');
    const id = page.url().split('/').pop();
    const saving = page.waitForEvent('download');
    await page.click('button:has-text("导出并下载")');
    assert.equal((await saving).suggestedFilename(), 'water-2026.tar');
    await page.goto(`${world.url}/console/releases`);
    await page.waitForSelector('table.list:has-text("water-2026")');
    await page.click('button:has-text("本单位公钥")');
    await page.waitForSelector('.el-dialog pre:has-text("BEGIN PUBLIC KEY")');
    await picture(page, 'keys');
    await page.goto(`${world.url}/console/releases/${id}`);
    await page.click('button:has-text("上架目录")');
    await page.fill('[name=offer-title]', '供水法规语料');
    await page.fill('[name=offer-summary]', '本市供水用水管理的法规条文，逐条整理。');
    await page.fill('[name=offer-industry]', '水务');
    await page.click('.el-dialog:visible button[type=submit]');
    await page.waitForSelector('.offer:has-text("供水法规语料")');
    await calm(page);
    await picture(page, 'catalogue-own');

    /* Another tenant. */
    const admin = await enter('demo-system_admin');
    const tenant = await api(admin.page, 'POST', '/api/tenants', { name: 'water', title: '水务集团' });
    const user = await api(admin.page, 'POST', '/api/users', { name: 'walker', display_name: '水务小王', tenant: tenant.id });
    await admin.context.close();
    const security = await enter('demo-security_admin');
    await api(security.page, 'PATCH', `/api/users/${user.id ?? user.user?.id}`, { roles: ['developer'] });
    await security.context.close();
    const other = await visit(world.browser);
    await signIn(other.page, world.url, 'walker@water', user.password ?? user.first_password);
    await changePassword(other.page, user.password ?? user.first_password, 'Shui-Wu-Ji-Tuan-2026');
    await other.page.goto(`${world.url}/console/catalogue`);
    await other.page.fill('[name=catalogue-find]', '法规条文');
    await other.page.keyboard.press('Enter');
    await other.page.waitForSelector('.offer:has-text("供水法规语料")');
    await picture(other.page, 'catalogue-other');
    await other.page.click('button:has-text("申请使用")');
    await other.page.fill('[name=subscribe-purpose]', '训练水务客服问答模型');
    await picture(other.page, 'ask');
    await other.page.click('.el-dialog:visible button[type=submit]');
    await other.page.waitForSelector('.offer .badge:has-text("待审批")');

    const approver = await enter('demo-tenant_admin');
    await approver.page.goto(`${world.url}/console/subscriptions`);
    await picture(approver.page, 'subscriptions');
    await approver.page.locator('tr', { hasText: '训练水务客服问答模型' }).locator('button:has-text("批准")').first().click();
    await approver.page.click('.el-dialog:visible button[type=submit]');
    await approver.page.waitForSelector('tr:has-text("已批准")');
    assert.deepEqual(approver.faults, []);
    await approver.context.close();

    await other.page.goto(`${world.url}/console/subscriptions?tab=mine`);
    await other.page.locator('tr', { hasText: '供水法规语料' }).locator('button:has-text("使用")').click();
    const used = other.page.waitForEvent('download');
    await other.page.click('.el-dialog:visible button[type=submit]');
    assert.equal((await used).suggestedFilename(), 'water-2026.jsonl');
    await other.page.waitForSelector('tr:has-text("1（不限次数）")');
    await calm(other.page);
    await picture(other.page, 'mine');

    /* A capsule for them. */
    await page.goto(`${world.url}/console/releases/${id}`);
    await page.click('button:has-text("封装胶囊")');
    await page.fill('[name=capsule-to]', 'water');
    await picture(page, 'capsule');
    await page.click('.el-dialog:visible button[type=submit]');
    await page.waitForURL('**/subscriptions**');
    await page.waitForSelector('tr:has-text("国密")');
    await other.page.goto(`${world.url}/console/subscriptions?tab=capsules`);
    await other.page.locator('tr', { hasText: '国密' }).locator('button:has-text("打开")').click();
    await other.page.fill('[name=use-purpose]', '训练水务客服问答模型');
    const opened = other.page.waitForEvent('download');
    await other.page.click('.el-dialog:visible button[type=submit]');
    assert.match((await opened).suggestedFilename(), /\.tar$/);
    await other.page.waitForSelector('tr:has-text("1 / 3")');
    await picture(other.page, 'capsules');

    /* The source is withdrawn: everything stops, and the subscriber reads why. */
    const sources = await api(page, 'GET', '/api/data_sources?find=water.jsonl');
    await api(page, 'POST', `/api/data_sources/${sources.items[0].id}/withdraw`, { reason: '权利人撤回授权' });
    await other.page.goto(`${world.url}/console/subscriptions?tab=mine`);
    await other.page.waitForSelector('tr:has-text("权利人撤回授权"):has-text("来源已撤回")');
    await picture(other.page, 'withdrawn');
    await page.goto(`${world.url}/console/releases/${id}`);
    await page.waitForSelector('.problem:has-text("这份发布已停用")');
    await calm(page);
    assert.deepEqual(faults, []);
    assert.deepEqual(other.faults, []);
    await other.context.close();
    await context.close();
  });
}
