/* The daily work: asking with the text beside, documents, uploads, hit tests, corrections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overflow, signIn, visit } from './browser.mjs';

const QUESTION = '小区广告和停车的收入归谁？';
const NOTICE = `云汀市浏览器测试停车场管理办法

发文机关：云汀市城市管理局
发文字号：云汀测〔2026〕99号
施行日期：2026年1月1日

第一条 为了检验浏览器测试，制定本办法。

第二条 紫藤停车场每小时收费七十七元，夜间免费。

第三条 本办法自2026年1月1日起施行。
`;

async function steward(world) {
  const one = await visit(world.browser);
  await signIn(one.page, world.url, 'demo-steward', world.demo);
  await one.page.waitForSelector('nav.menu');
  return one;
}

async function ask(page, question) {
  await page.fill('.ask-form textarea', question);
  await page.keyboard.press('Enter');
}

export function stewards(world) {
  test('an answer opens its text beside it with the exact words marked', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/ask`);
    await ask(page, QUESTION);
    await page.waitForSelector('.answer .quote-text');
    await page.waitForSelector('.citation mark.words');
    const bare = (words) => words.replace(/\s/g, '');
    const quote = bare(await page.locator('.answer .quote-text').first().innerText());
    const marked = bare((await page.locator('.citation mark.words').allInnerTexts()).join(''));
    assert.ok(quote.includes(marked.slice(0, 12)), `marked "${marked}", quoted "${quote}"`);
    assert.match(await page.locator('.answer .source').first().innerText(), /现行有效/);
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a file that is dropped in becomes a document, and answers', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/knowledge_bases/policy`);
    await page.click('text=上传文件');
    await page.setInputFiles('input[type=file]', { name: '浏览器测试停车.txt', mimeType: 'text/plain', buffer: Buffer.from(NOTICE) });
    await page.locator('.job-report', { hasText: '已完成' }).waitFor({ timeout: 60_000 });
    await page.fill('.filters input', '浏览器测试');
    await page.keyboard.press('Enter');
    await page.locator('td a', { hasText: '浏览器测试停车场管理办法' }).waitFor();
    await page.goto(`${world.url}/console/ask`);
    await ask(page, '紫藤停车场每小时收费多少');
    await page.locator('.quote-text', { hasText: '七十七元' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a file that cannot be read is reported with the reason', async () => {
    const { context, page } = await steward(world);
    await page.goto(`${world.url}/console/knowledge_bases/policy`);
    await page.click('text=上传文件');
    await page.setInputFiles('input[type=file]', { name: '坏的.docx', mimeType: 'application/zip', buffer: Buffer.from('PK\u0003\u0004 not a zip') });
    const report = page.locator('.sendings li').first();
    await report.locator('.problem, .field-error').first().waitFor({ timeout: 60_000 });
    assert.match(await report.innerText(), /坏的\.docx/);
    await context.close();
  });

  test('a document shows its versions, its structure and takes metadata by hand', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/knowledge_bases/policy`);
    await page.fill('.filters input', '公共租赁住房');
    await page.keyboard.press('Enter');
    await page.locator('td a', { hasText: '公共租赁住房管理办法' }).first().click();
    await page.locator('.reader-tree .el-tree-node', { hasText: '第五条' }).first().waitFor();
    await page.locator('.reader-tree .el-tree-node__label', { hasText: /^第五条$/ }).first().click();
    await page.waitForSelector('.text-pane mark');
    assert.match((await page.locator('.text-pane mark').allInnerTexts()).join(''), /^\s*第五条/);
    await page.click('.el-tabs__item:has-text("版本")');
    await page.waitForSelector('svg.timeline rect');
    await page.click('.el-tabs__item:has-text("修改信息")');
    const field = page.locator('.meta-form .field', { hasText: '主管部门' }).locator('input');
    await field.fill('云汀市住房保障中心');
    await page.click('.meta-form button[type=submit]');
    await page.locator('.el-message', { hasText: '已保存' }).waitFor();
    await page.reload();
    await page.locator('.facts dd', { hasText: '云汀市住房保障中心' }).waitFor();
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('two people who edit one document do not overwrite each other', async () => {
    const first = await steward(world);
    const second = await steward(world);
    const { page } = first;
    await page.goto(`${world.url}/console/knowledge_bases/policy`);
    await page.fill('.filters input', '养犬');
    await page.keyboard.press('Enter');
    await page.locator('td a', { hasText: '养犬' }).first().click();
    await page.waitForURL('**/console/documents/**');
    await second.page.goto(page.url());
    const edit = async (one, words) => {
      await one.click('.el-tabs__item:has-text("修改信息")');
      await one.locator('.meta-form .field', { hasText: '主管部门' }).locator('input').fill(words);
    };
    await edit(page, '甲部门');
    await edit(second.page, '乙部门');
    await page.click('.meta-form button[type=submit]');
    await page.locator('.el-message', { hasText: '已保存' }).waitFor();
    await second.page.click('.meta-form button[type=submit]');
    await second.page.locator('.problem', { hasText: '有人在您编辑的时候改了' }).waitFor();
    await second.page.click('button:has-text("读取最新内容")');
    await second.page.locator('.facts dd', { hasText: '甲部门' }).waitFor();
    await first.context.close();
    await second.context.close();
  });

  test('the hit test explains scores and compares two settings', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/search`);
    await page.fill('.filters .w-grow input', '路边停车怎么收费');
    await page.click('.el-checkbox:has-text("比较两种条件")');
    await page.click('button[type=submit]');
    await page.waitForFunction(() => document.querySelectorAll('.sides section .hit').length >= 2);
    await page.locator('.hit summary').first().click();
    await page.locator('.features').first().waitFor();
    assert.ok((await page.locator('.features rect').count()) >= 2);
    assert.equal(await overflow(page), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a resident’s correction becomes an FAQ', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/reviews`);
    const row = page.locator('tr', { hasText: '浏览器测试：应以第五条为准。' });
    await row.locator('button').click();
    await page.fill('[name=faq-question]', '浏览器测试专用的紫藤热线怎么打');
    await page.locator('.el-dialog textarea').fill('紫藤热线请拨打 0617-00000077。');
    await page.click('.el-dialog button:has-text("采纳为常见问题")');
    await page.locator('.el-message', { hasText: '已成为常见问题' }).waitFor();
    await page.goto(`${world.url}/console/ask`);
    await ask(page, '紫藤热线怎么打');
    await page.locator('.answer', { hasText: '0617-00000077' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('what could not be answered is answered from the list, and leaves it', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/ask`);
    await page.locator('.suggestions button').first().waitFor();
    await ask(page, '浏览器测试的云雀驿站几点开门');
    await page.locator('.answer-refused').waitFor();
    await page.goto(`${world.url}/console/unanswered`);
    const row = page.locator('tr', { hasText: '云雀驿站' });
    await row.locator('button:has-text("处理")').click();
    await page.locator('.el-dialog button:has-text("采纳为常见问题"):disabled').waitFor();
    await page.fill('[name=faq-answer]', '云雀驿站早上七点五十开门。');
    await page.click('.el-dialog button:has-text("采纳为常见问题")');
    await page.locator('.el-message', { hasText: '已成为常见问题' }).waitFor();
    await row.waitFor({ state: 'detached' });
    await page.goto(`${world.url}/console/ask`);
    await ask(page, '浏览器测试的云雀驿站几点开门');
    await page.locator('.answer', { hasText: '七点五十' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('a job and the API are told in the language of the page', async () => {
    const { context, page, faults } = await steward(world);
    const jobs = await page.evaluate(async () => (await (await fetch('/api/jobs?limit=500')).json()).items);
    await page.goto(`${world.url}/console/jobs/${jobs.find((one) => one.kind === 'data.run' && one.title === 'citizen-messages-clean').id}`);
    await page.locator('h1', { hasText: '市民留言（清洗后）' }).waitFor();
    await page.locator('pre.log', { hasText: /第 1 步 unicode：进 51 条/ }).waitFor();
    await page.goto(`${world.url}/console/api`);
    await page.locator('details.operation', { hasText: '退出登录' }).waitFor();
    const plain = (await page.locator('details.operation summary .soft').allInnerTexts()).filter((one) => !/[\u4e00-\u9fff]/.test(one));
    assert.deepEqual(plain, []);
    await page.click('.top-button:has-text("English")');
    await page.locator('details.operation', { hasText: 'Sign out' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('an evaluation runs as a job and lists its misses', async () => {
    const { context, page, faults } = await steward(world);
    await page.goto(`${world.url}/console/evaluations`);
    await page.click('text=新的评测');
    await page.locator('.el-dialog .el-select').click();
    await page.locator('.el-select-dropdown__item', { hasText: '政策法规' }).click();
    await page.locator('.el-dialog textarea').fill(
      [
        JSON.stringify({ question: '公租房的申请条件是什么', gold: [{ title: '公共租赁住房管理办法', article: '第五条' }] }),
        '路边停车怎么收费 | 并不存在的办法 | 第一条',
        '明天会下雨吗',
      ].join('\n'),
    );
    await page.click('.el-dialog button[type=submit]');
    await page.locator('.job-report', { hasText: '已完成' }).waitFor({ timeout: 60_000 });
    await page.locator('tbody tr a').first().click();
    await page.waitForSelector('.figures');
    assert.match(await page.locator('table').innerText(), /并不存在的办法/);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test('every page of the steward opens without an error, in both languages', async () => {
    const { context, page, faults } = await steward(world);
    for (const name of ['', 'ask', 'knowledge_bases', 'search', 'reviews', 'unanswered', 'expiring', 'evaluations', 'jobs', 'api', 'about']) {
      await page.goto(`${world.url}/console/${name}`);
      await page.waitForSelector('h1');
      await page.waitForLoadState('networkidle');
      assert.equal(await page.locator('.problem').count(), 0, `/${name}: ${await page.locator('.problem').allInnerTexts()}`);
      assert.equal(await overflow(page), 0, `/${name} is too wide`);
    }
    await page.click('.top-button:has-text("English")');
    await page.waitForSelector('h1:has-text("About Yicheng")');
    assert.ok((await page.locator('nav.menu a').allTextContents()).includes('Knowledge bases'));
    assert.deepEqual(faults, []);
    await context.close();
  });
}
