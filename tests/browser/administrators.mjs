/* The three administrators: first passwords, accounts, roles, keys, the record, and what each may not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changePassword, menu, overflow, signIn, visit } from './browser.mjs';

const FRESH = { sysadmin: 'Ting-Yue-2026-sys', secadmin: 'Ting-Yue-2026-sec', auditor: 'Ting-Yue-2026-aud', newcomer: 'Ting-Yue-2026-new' };

async function enter(world, name) {
  const one = await visit(world.browser);
  const changed = world.changed.has(name);
  await signIn(one.page, world.url, name, changed ? FRESH[name] : world.passwords[name]);
  if (!changed) {
    await changePassword(one.page, world.passwords[name], FRESH[name]);
    world.changed.add(name);
  }
  await one.page.waitForSelector('nav.menu');
  return one;
}

export function administrators(world) {
  test('a wrong password is refused in plain words and lets nobody in', async () => {
    const { context, page } = await visit(world.browser);
    await page.goto(`${world.url}/console/`);
    await page.fill('[name=username]', 'nobody-here');
    await page.fill('[name=password]', 'wrong-password-1');
    await page.click('button[type=submit]');
    await page.waitForSelector('.problem');
    assert.match(await page.locator('.problem').innerText(), /用户名或密码不对/);
    assert.equal(await page.locator('nav.menu').count(), 0);
    await context.close();
  });

  test('the first password must be changed before anything else opens', async () => {
    const { context, page, faults } = await visit(world.browser);
    await signIn(page, world.url, 'sysadmin', world.passwords.sysadmin);
    await page.waitForURL('**/console/password');
    await page.goto(`${world.url}/console/users`);
    await page.waitForURL('**/console/password');
    assert.equal(await page.locator('nav.menu').count(), 0);
    await page.fill('[name=old]', world.passwords.sysadmin);
    await page.fill('[name=new]', 'short1');
    await page.fill('[name=again]', 'short1');
    await page.click('button[type=submit]');
    await page.waitForSelector('.problem');
    await changePassword(page, world.passwords.sysadmin, FRESH.sysadmin);
    world.changed.add('sysadmin');
    await page.waitForSelector('nav.menu');
    assert.ok((await menu(page)).includes('用户'));
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('the system administrator makes an account and sees its first password once', async () => {
    const { context, page, faults } = await enter(world, 'sysadmin');
    await page.goto(`${world.url}/console/users`);
    await page.click('text=新建用户');
    await page.fill('[name=new-name]', 'newcomer');
    await page.fill('[name=display-name]', '新来的同事');
    await page.click('.el-dialog button[type=submit]');
    world.passwords.newcomer = (await page.locator('.once-secret').innerText()).trim();
    assert.ok(world.passwords.newcomer.length >= 10);
    await page.keyboard.press('Escape');
    await page.waitForSelector('td:has-text("新来的同事")');
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a tenant is made, and is not disabled by a slip of the hand', async () => {
    const { context, page, faults } = await enter(world, 'sysadmin');
    await page.goto(`${world.url}/console/tenants`);
    await page.click('button:has-text("新建租户")');
    await page.locator('.el-dialog input').nth(0).fill('走查单位');
    await page.locator('.el-dialog input').nth(1).fill('walk-tenant');
    await page.click('.el-dialog button[type=submit]');
    const row = page.locator('tr', { hasText: '走查单位' });
    await row.locator('button:has-text("停用")').click();
    await page.locator('.el-message-box', { hasText: '不能登录' }).locator('button', { hasText: '不停用' }).click();
    await row.locator('.badge', { hasText: '正常' }).waitFor();
    await row.locator('button:has-text("停用")').click();
    await page.locator('.el-message-box__btns button', { hasText: /^停用$/ }).click();
    await row.locator('.badge', { hasText: '停用' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('the security administrator grants a role and may not make accounts', async () => {
    const { context, page, faults } = await enter(world, 'secadmin');
    await page.goto(`${world.url}/console/users`);
    await page.waitForSelector('td:has-text("新来的同事")');
    assert.equal(await page.locator('text=新建用户').count(), 0);
    await page.locator('tr', { hasText: '新来的同事' }).locator('button').click();
    await page.locator('.el-dialog .el-checkbox', { hasText: '读者' }).click();
    await page.click('.el-dialog button[type=submit]');
    await page.locator('tr', { hasText: '新来的同事' }).locator('td', { hasText: '读者' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('the newcomer changes the first password and has the menu of a reader', async () => {
    const { context, page } = await enter(world, 'newcomer');
    const items = await menu(page);
    assert.ok(items.includes('提问') && items.includes('知识库'), items.join());
    for (const hidden of ['用户', '接口密钥', '审计记录', '复核纠错']) assert.ok(!items.includes(hidden), hidden);
    await context.close();
  });

  test('a key is shown once, works, and is refused after it was revoked', async () => {
    const { context, page, faults } = await visit(world.browser);
    await signIn(page, world.url, 'demo-tenant_admin', world.demo);
    await page.goto(`${world.url}/console/keys`);
    await page.click('text=新建密钥');
    await page.fill('[name=key-name]', '浏览器测试');
    await page.click('.el-dialog button[type=submit]');
    const key = (await page.locator('.once-secret').innerText()).trim();
    const call = () => fetch(`${world.url}/v1/models`, { headers: { Authorization: `Bearer ${key}` } });
    assert.equal((await call()).status, 200);
    await page.keyboard.press('Escape');
    const row = page.locator('tr', { hasText: '浏览器测试' });
    await row.waitFor();
    assert.ok(!(await page.content()).includes(key), 'the key is still on the page');
    await row.locator('button').click();
    await page.locator('.el-message-box__btns button', { hasText: '吊销' }).last().click();
    await page.locator('.el-message', { hasText: '已吊销' }).waitFor();
    assert.equal((await call()).status, 401);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('the auditor sees the record and checks the chain, and nothing else', async () => {
    const { context, page, faults } = await enter(world, 'auditor');
    assert.deepEqual(await menu(page), ['首页', '审计记录', '关于']);
    await page.click('nav.menu >> text=审计记录');
    await page.waitForSelector('td:has-text("ops.user.create")');
    await page.click('text=校验整条记录链');
    await page.waitForSelector('.good-box');
    assert.match(await page.locator('.good-box').innerText(), /记录完整，没有改动[\s\S]*SM3 [0-9a-f]{64}/);
    await page.locator('.filters .el-select').click();
    await page.locator('.el-select-dropdown__item:visible', { hasText: /^部门$/ }).click();
    await page.click('.filters button[type=submit]');
    await page.locator('td', { hasText: 'ops.user.create' }).first().waitFor({ state: 'detached' });
    const rows = page.locator('table.list tbody tr');
    assert.deepEqual((await rows.allInnerTexts()).filter((words) => !words.includes('ops.department.')), []);
    await rows.first().locator('button').click();
    await page.waitForSelector('.el-dialog >> text=SHA-256');
    assert.equal(await overflow(page), 0);
    await page.goto(`${world.url}/console/users`);
    await page.waitForURL('**/console/forbidden');
    const status = await page.evaluate(async () => (await fetch('/api/users')).status);
    assert.equal(status, 403);
    assert.deepEqual(faults, []);
    await context.close();
  });
}
