/* What a resident sees: no account, a phone, old eyes, another language. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { overflow, visit } from './browser.mjs';

const MOST_BYTES = 60 * 1024;
const QUESTION = '小区广告和停车的收入归谁？';

async function ask(page, question) {
  await page.fill('#question', question);
  await page.click('.ask button[type=submit]');
}

export function residents(world) {
  test('the residents page weighs less than 60 KB compressed', async () => {
    const { context, page } = await visit(world.browser);
    const bodies = [];
    page.on('response', (response) => {
      if (!response.url().includes('/api/')) bodies.push(response.body());
    });
    await page.goto(`${world.url}/`);
    await page.waitForSelector('.examples');
    const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
    assert.ok(sizes.length >= 3, `only ${sizes.length} files`);
    assert.ok(sizes.reduce((a, b) => a + b, 0) < MOST_BYTES, `${sizes}`);
    await context.close();
  });

  test('on a phone of 360 px an example leads to a quote, its source and the marked place', async () => {
    const { context, page, faults } = await visit(world.browser, { width: 360, height: 740, phone: true });
    await page.goto(`${world.url}/`);
    await page.locator('.examples button', { hasText: QUESTION }).tap();
    await page.waitForSelector('.answer .quote-text');
    const quote = (await page.locator('.answer .quote-text').first().innerText()).trim();
    assert.match(await page.locator('.source-title').first().innerText(), /《.+》.*(现行有效)/s);
    assert.equal(await overflow(page), 0);
    await page.locator('.open').first().tap();
    await page.waitForURL('**/doc/**');
    await page.waitForSelector('mark.words'); /* the text comes behind the address */
    const marked = (await page.locator('mark.words').allInnerTexts()).join('');
    assert.ok(marked.length > 0, 'nothing is marked');
    const bare = (words) => words.replace(/\s/g, '');
    assert.ok(bare(quote).includes(bare(marked).slice(0, 12)), `marked "${marked}", quoted "${quote}"`);
    assert.ok(await page.locator('mark.words').first().isVisible());
    const box = await page.locator('mark.words').first().boundingBox();
    assert.ok(box && box.y >= 0 && box.y < 740, 'the marked words are not in view');
    assert.equal(await overflow(page), 0);
    await page.goBack();
    await page.waitForSelector('.answer .quote-text');
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('what no rule answers is refused with whom to ask', async () => {
    const { context, page, faults } = await visit(world.browser);
    await page.goto(`${world.url}/`);
    await ask(page, '明天会下雨吗');
    await page.waitForSelector('.answer.refused');
    assert.equal(await page.locator('.answer.refused .quote').count(), 0);
    assert.equal(await page.locator('.answer.refused .call').getAttribute('href'), 'tel:12345');
    assert.match(await page.locator('.answer.refused').innerText(), /12345/);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a follow-up is asked in the same conversation', async () => {
    const { context, page } = await visit(world.browser);
    await page.goto(`${world.url}/`);
    await ask(page, QUESTION);
    await page.waitForSelector('.answer');
    const [request] = await Promise.all([
      page.waitForRequest('**/api/ask'),
      ask(page, '要带什么材料？'),
    ]);
    const sent = request.postDataJSON();
    assert.equal(sent.turns.length, 2);
    assert.equal(sent.turns[0].text, QUESTION);
    await page.waitForFunction(() => document.querySelectorAll('.answer').length === 2);
    await context.close();
  });

  test('large type, high contrast and English are kept after a reload', async () => {
    const { context, page, faults } = await visit(world.browser, { width: 360, height: 740 });
    await page.goto(`${world.url}/`);
    const size = () => page.locator('.ask label').evaluate((one) => parseFloat(getComputedStyle(one).fontSize));
    const before = await size();
    await page.click('text=大字版');
    await page.click('text=高对比');
    assert.ok((await size()) >= before * 1.3);
    assert.equal(await overflow(page), 0);
    await page.click('text=English');
    await page.waitForSelector('button:has-text("Ask")');
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    await page.reload();
    await page.waitForSelector('button:has-text("Ask")');
    assert.ok((await size()) >= before * 1.3);
    assert.match((await page.locator('html').getAttribute('class')) ?? '', /contrast/);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('the keyboard alone asks a question', async () => {
    const { context, page } = await visit(world.browser);
    await page.goto(`${world.url}/`);
    await page.waitForSelector('.examples');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.className), 'skip');
    for (let i = 0; i < 12; i++) {
      if ((await page.evaluate(() => document.activeElement?.id)) === 'question') break;
      await page.keyboard.press('Tab');
    }
    await page.keyboard.type(QUESTION);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.answer');
    const landmarks = await page.evaluate(() => ['header', 'main', 'footer', '[aria-live]', 'h1'].map((one) => document.querySelectorAll(one).length > 0));
    assert.deepEqual(landmarks, [true, true, true, true, true]);
    await context.close();
  });

  test('a correction is thanked for and reaches the stewards', async () => {
    const { context, page } = await visit(world.browser);
    await page.goto(`${world.url}/`);
    await ask(page, QUESTION);
    await page.waitForSelector('.answer');
    await page.click('text=不对，应该是…');
    await page.fill('.correct textarea', '浏览器测试：应以第五条为准。');
    await page.click('text=提交更正');
    await page.waitForFunction(() => document.querySelector('.said')?.textContent?.includes('谢谢'));
    await context.close();
  });
}
