/* Prices, limits, usage and bills: set, shown, and not offered to who may not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { menu, overflow, signIn, visit } from './browser.mjs';

export function metering(world) {
  const enter = async (name) => {
    const one = await visit(world.browser);
    await signIn(one.page, world.url, name, world.demo);
    await one.page.waitForSelector('nav.menu');
    return one;
  };

  test('a price is set in yuan, shown, and has no button that would change it', async () => {
    const { context, page, faults } = await enter('demo-system_admin');
    await page.goto(`${world.url}/console/prices`);
    await page.click('button:has-text("新价格")');
    await page.fill('[name=price-key]', 'city-chat');
    const numbers = page.locator('.el-dialog .el-input-number input');
    await numbers.nth(0).fill('0.8');
    await numbers.nth(2).fill('2.000007');
    await numbers.nth(2).blur();
    await page.click('.el-dialog button[type=submit]');
    const row = page.locator('table.list tbody tr', { hasText: 'city-chat' });
    await row.waitFor();
    assert.match(await row.innerText(), /¥0\.80/);
    assert.match(await row.innerText(), /¥2\.000007/);
    assert.equal(await row.locator('button').count(), 0);
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('limits of an application are set, shown with what is used, and removed', async () => {
    const { context, page, faults } = await enter('demo-tenant_admin');
    await page.goto(`${world.url}/console/limits`);
    await page.click('button:has-text("新限额")');
    await page.locator('.el-dialog .el-select').first().click();
    await page.locator('.el-select-dropdown__item:visible', { hasText: '应用' }).click();
    await page.fill('[name=limit-name]', '热线坐席');
    const numbers = page.locator('.el-dialog .el-input-number input');
    await numbers.nth(0).fill('60');
    await numbers.nth(6).fill('500.5');
    await numbers.nth(6).blur();
    await page.click('.el-dialog button[type=submit]');
    const row = page.locator('table.list tbody tr', { hasText: '热线坐席' });
    await row.waitFor();
    assert.match(await row.innerText(), /0 \/ 60/);
    assert.match(await row.innerText(), /¥0\.00 \/ ¥500\.50/);
    await row.locator('button', { hasText: '移除' }).click();
    await page.locator('.el-message-box button', { hasText: '移除' }).last().click();
    await row.waitFor({ state: 'detached' });
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('usage and bills open for who may see them, and say so when there is nothing', async () => {
    const { context, page, faults } = await enter('demo-developer');
    await page.goto(`${world.url}/console/usage`);
    await page.waitForSelector('dl.figures');
    assert.match(await page.locator('dl.figures').innerText(), /费用/);
    assert.equal(await overflow(page), 0);
    await page.goto(`${world.url}/console/bills`);
    await page.waitForSelector('.list-note, table.list tbody tr');
    await page.goto(`${world.url}/console/prices`);
    await page.waitForSelector('table.list');
    assert.equal(await page.locator('button:has-text("新价格")').count(), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a reader is not offered usage, bills, limits or prices', async () => {
    const { context, page } = await enter('demo-reader');
    const words = await menu(page);
    for (const word of ['用量', '账单', '限额', '价格']) assert.ok(!words.includes(word), word);
    await context.close();
  });
}
