/* tools/screenshots.mjs: takes the pictures of README and docs from the real centre over the sample city. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browserMissing, openBrowser, signIn, visit } from '../tests/browser/browser.mjs';
import { DEMO_PASSWORD, missing, startCenter } from '../tests/browser/center.mjs';

const out = resolve(fileURLToPath(new URL('../docs/pictures', import.meta.url)));
const QUESTIONS = ['小区广告和停车的收入归谁？', '失业金一个月能领多少钱？', '临时救助怎么申请？', '明天会下雨吗？'];
const SETTLE_MS = 900; /* charts and dialogs move in */

async function picture(page, name) {
  await page.waitForLoadState('networkidle');
  await page.waitForTimeout(SETTLE_MS);
  await page.screenshot({ path: join(out, `${name}.png`) });
  console.log(`docs/pictures/${name}.png`);
}

async function askResident(page, question) {
  await page.fill('#question', question);
  await page.click('.ask button[type=submit]');
  await page.waitForSelector('.exchange:last-child .answer');
}

async function residents(browser, url) {
  const phone = await visit(browser, { width: 390, height: 780, phone: true });
  await phone.page.goto(`${url}/`);
  await phone.page.waitForSelector('.examples');
  await picture(phone.page, 'phone-start');
  await askResident(phone.page, QUESTIONS[0]);
  await picture(phone.page, 'phone-answer');
  await phone.page.click('.open');
  await phone.page.waitForSelector('mark.words');
  await picture(phone.page, 'phone-text');
  const wide = await visit(browser);
  await wide.page.goto(`${url}/`);
  await askResident(wide.page, QUESTIONS[0]);
  await wide.page.evaluate(() => scrollTo(0, 0));
  await picture(wide.page, 'residents');
  await phone.context.close();
  await wide.context.close();
}

async function staff(browser, url) {
  const { page, context } = await visit(browser);
  await signIn(page, url, 'demo-steward', DEMO_PASSWORD);
  await page.goto(`${url}/console/ask`);
  for (const question of QUESTIONS) {
    await page.fill('.ask-form textarea', question);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.exchange:last-child .answer');
  }
  await page.goto(`${url}/console/ask`);
  await page.fill('.ask-form textarea', QUESTIONS[0]);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.citation mark.words');
  await picture(page, 'ask');
  await page.goto(`${url}/console/knowledge_bases/policy`);
  await page.fill('.filters input', '公共租赁住房');
  await page.keyboard.press('Enter');
  await page.locator('td a', { hasText: '公共租赁住房管理办法' }).first().click();
  await page.waitForSelector('.reader-tree .el-tree-node');
  await picture(page, 'document');
  await page.goto(`${url}/console/search?q=${encodeURIComponent('路边停车怎么收费')}`);
  await page.click('button[type=submit]');
  await page.locator('.hit summary').first().click();
  await picture(page, 'hit-test');
  await page.goto(`${url}/console/`);
  await page.waitForSelector('canvas');
  await picture(page, 'overview');
  await data(page, url);
  await context.close();
}

async function data(page, url) {
  await page.goto(`${url}/console/near_duplicates?dataset=citizen-messages&version=1`);
  await page.click('button:has-text("查找近似重复")');
  await page.locator('.cluster ins').first().waitFor();
  await page.locator('.cluster', { has: page.locator('ins') }).first().scrollIntoViewIfNeeded();
  await picture(page, 'near-duplicates');
  await page.goto(`${url}/console/quality_reports`);
  await page.click('.page-actions button:has-text("出具报告")');
  await page.locator('.el-dialog .el-select').first().click();
  await page.locator('.el-select-dropdown__item:visible', { hasText: '市民留言（样例）' }).first().click();
  await page.click('.el-dialog button[type=submit]');
  const examples = page.locator('details', { hasText: /看 \d+ 例/ }).first();
  await examples.locator('summary').click();
  await examples.scrollIntoViewIfNeeded();
  await page.evaluate(() => scrollTo(0, 0));
  await picture(page, 'quality-report');
}

const why = missing() || browserMissing();
if (why) {
  console.error(`screenshots: ${why}`);
  process.exit(1);
}
mkdirSync(out, { recursive: true });
const center = await startCenter();
const browser = await openBrowser();
try {
  await residents(browser, center.url);
  await staff(browser, center.url);
} finally {
  await browser.close();
  await center.stop();
}
