/* Every page of the console, as each role that has it: opens, shows its data, has no barrier (axe-core), nothing wider
 * than the window, nothing raw; and once more in English. Runs last: the other walks have filled the pages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barriers } from './axe.mjs';
import { overflow, signIn, visit } from './browser.mjs';

/* What each page of the menu must show, beside its heading. A page without a line fails. */
const SHOWS = {
  '/': '.doors a',
  '/ask': '.ask-form textarea',
  '/knowledge_bases': 'td a',
  '/search': '.filters input',
  '/reviews': 'table.list th',
  '/unanswered': 'table.list td',
  '/expiring': 'table.list td a',
  '/collectors': 'table.list th',
  '/datasets': '.card h2 a',
  '/pipelines': 'table.list td a',
  '/data_operators': 'details.operator',
  '/near_duplicates': '.el-select',
  '/synthesis': '.kind-card',
  '/mixing': '.el-select',
  '/annotation': 'table.list td a',
  '/quality_reports': 'table.list td a',
  '/gates': 'table.list td a',
  '/releases': 'table.list td a',
  '/catalogue': '.filters input',
  '/subscriptions': '.el-tabs__item',
  '/data_lineage': 'g.node',
  '/data_sources': 'table.list td',
  '/personal_data': '.el-tabs__item',
  '/playground': '.lanes .el-select',
  '/models': 'table.list td a',
  '/aliases': 'table.list td',
  '/endpoints': 'table.list td',
  '/deployments': 'table.list th',
  '/model_calls': 'table.list td',
  '/usage': '.figures dd',
  '/bills': 'table.list td',
  '/limits': 'table.list th',
  '/prices': 'table.list td',
  '/evaluations': 'table.list td a',
  '/jobs': 'table.list td a',
  '/users': 'table.list td',
  '/departments': 'table.list td',
  '/roles': 'table.matrix td',
  '/tenants': 'table.list td',
  '/keys': 'table.list th',
  '/audit': 'table.list td',
  '/api': 'details.operation',
  '/about': 'dl.facts, .prose',
};
const ROLES = ['demo-steward', 'demo-system_admin', 'demo-security_admin', 'demo-auditor', 'demo-tenant_admin', 'demo-developer', 'demo-annotator', 'demo-agent', 'demo-handler', 'demo-reader'];
/* Ids, instants as the API writes them, what a program left behind. */
const RAW = /\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-|\d{4}-\d\d-\d\dT\d\d:|\bundefined\b|\bNaN\b|\[object /;

async function first(page, path) {
  const { items } = await page.evaluate(async (path) => (await fetch(path)).json(), path);
  assert.ok(items?.length, `nothing at ${path}`);
  return items[0];
}

/* The pages that stand behind a row of a list, and what they must show. */
async function details(page) {
  const [document, record, version, pipeline, run, report, gate, release, project, evaluation, job] = await Promise.all([
    first(page, '/api/knowledge_bases/policy/documents?limit=1'),
    first(page, '/api/datasets/citizen-messages-clean/records?limit=1'),
    page.evaluate(async () => (await fetch('/api/datasets/citizen-messages-clean/versions/0')).json()),
    first(page, '/api/pipelines'),
    first(page, '/api/jobs?limit=1&kind=data.run'),
    first(page, '/api/quality_reports'),
    first(page, '/api/gates'),
    first(page, '/api/releases'),
    first(page, '/api/annotation_projects'),
    first(page, '/api/evaluations'),
    first(page, '/api/jobs?limit=1'),
  ]);
  const set = '/datasets/citizen-messages-clean';
  return {
    '/knowledge_bases/policy': 'table.list td a',
    [`/documents/${document.id}`]: '.text-pane p',
    [set]: '.figure dd',
    [`${set}?tab=records`]: '.record-item',
    [`${set}?tab=made`]: 'table.steps-table td',
    [`${set}?tab=compare`]: '.el-tabs__item.is-active',
    [`${set}?tab=card`]: '[name=card-licence]',
    [`${set}/records/${record.id}`]: '.trail-source',
    [`/pipelines/${pipeline.id}`]: '.step',
    '/pipelines/new': '.palette-op',
    [`/data_runs/${version.run ?? run.id}`]: '.steps-table td',
    [`/quality_reports/${report.id}`]: '.figure dd',
    [`/gates/${gate.id}`]: '.rule, section h2, h2',
    [`/releases/${release.id}`]: 'dl dd',
    '/collectors/new': '.kind-card',
    '/annotation_new': '.new-project .el-select',
    [`/annotation/${project.id}`]: '.figure dd',
    '/models/walk-one': 'dl.facts dd',
    [`/evaluations/${evaluation.id}`]: '.figure dd',
    [`/jobs/${job.id}`]: 'dl.facts dd',
    [`/data_lineage?kind=version&id=${version.id}`]: 'g.node',
    '/password': '[name=old]',
  };
}

async function look(page, url, path, shows, name) {
  await page.goto(`${url}/console${path}`);
  await page.waitForSelector(`main :is(${shows})`).catch(() => assert.fail(`${name} ${path}: nothing like ${shows}`));
  await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
  const where = `${name} ${path}`;
  assert.deepEqual(await page.locator('.problem[role=alert]').allInnerTexts(), [], where);
  assert.equal(await overflow(page), 0, `${where} is too wide`);
  assert.equal(await page.locator('main h1').count(), 1, `${where}: headings`);
  if (path !== '/api') assert.doesNotMatch(await page.locator('main').innerText(), RAW, where);
}

export function pages(world) {
  const enter = async (name) => {
    const one = await visit(world.browser);
    await signIn(one.page, world.url, name, world.demo);
    await one.page.waitForSelector('nav.menu');
    return one;
  };
  const paths = (page) => page.locator('nav.menu a').evaluateAll((all) => all.map((one) => one.getAttribute('href').replace('/console', '') || '/'));
  const seen = new Set();

  for (const name of ROLES)
    test(`every page of ${name} opens, shows its data and has no barrier`, async () => {
      const { context, page, faults } = await enter(name);
      const mine = await paths(page);
      for (const path of mine) assert.ok(SHOWS[path], `no line for ${path}`);
      const all = { ...Object.fromEntries(mine.map((path) => [path, SHOWS[path]])), ...(name === 'demo-steward' ? await details(page) : {}) };
      for (const [path, shows] of Object.entries(all)) {
        /* Pages look alike for every role, but for what they may not do: one thorough look is enough. */
        const again = seen.has(path) && !['/', '/personal_data'].includes(path);
        if (again) continue;
        seen.add(path);
        await look(page, world.url, path, shows, name);
        assert.deepEqual(await barriers(page), [], `${name} ${path}`);
      }
      assert.deepEqual(faults, []);
      await context.close();
    });

  test('signing in, labelling, reviewing and a page that is not there have no barrier either', async () => {
    const out = await visit(world.browser);
    await out.page.goto(`${world.url}/console/sign-in`);
    await out.page.waitForSelector('[name=username]');
    assert.deepEqual(await barriers(out.page), [], 'sign-in');
    await out.context.close();
    const { context, page, faults } = await enter('zhoumin');
    const project = await first(page, '/api/annotation_projects');
    for (const path of [`/annotation/${project.id}/review`, `/annotation/${project.id}/disputes`, '/nowhere']) {
      await look(page, world.url, path, 'h1', 'zhoumin');
      assert.deepEqual(await barriers(page), [], path);
    }
    assert.deepEqual(faults, []);
    await context.close();
    const annotator = await enter('demo-annotator');
    const mine = await first(annotator.page, '/api/annotation_projects');
    await look(annotator.page, world.url, `/annotation/${mine.id}/work`, '.span-text, .empty, .problem', 'demo-annotator');
    assert.deepEqual(await barriers(annotator.page), [], 'work');
    await annotator.context.close();
  });

  test('all pages of the menu are open to somebody', () => {
    assert.deepEqual(Object.keys(SHOWS).filter((path) => !seen.has(path)), []);
  });

  test('in English every page opens too, with an English heading', async () => {
    for (const name of ['demo-steward', 'demo-system_admin']) {
      const { context, page, faults } = await enter(name);
      await page.click('.top-button:has-text("English")');
      for (const path of await paths(page)) {
        if (name !== 'demo-steward' && !['/usage', '/bills', '/limits', '/prices', '/tenants', '/users', '/departments', '/roles'].includes(path)) continue;
        await look(page, world.url, path, SHOWS[path], `English ${name}`);
        if (path !== '/') assert.doesNotMatch(await page.locator('main h1').innerText(), /[\u4e00-\u9fff]/, path);
        assert.doesNotMatch((await page.locator('main th, main .el-radio-button, main button, nav.menu').allInnerTexts()).join(' '), /[\u4e00-\u9fff]{2}.*(：|，|。)/, `${path}: Chinese words in English`);
      }
      assert.deepEqual(faults, []);
      await context.close();
    }
  });

  test('the residents’ pages have no barrier: the start, an answer, the text, large type, high contrast', async () => {
    for (const width of [1366, 390]) {
      const { context, page, faults } = await visit(world.browser, { width, height: 768 });
      await page.goto(`${world.url}/`);
      await page.waitForSelector('.examples');
      assert.deepEqual(await barriers(page), [], `start, ${width}`);
      await page.fill('#question', '小区广告和停车的收入归谁？');
      await page.click('.ask button[type=submit]');
      await page.waitForSelector('.answer .quote-text');
      assert.deepEqual(await barriers(page), [], `answer, ${width}`);
      await page.click('text=大字版');
      await page.click('text=高对比');
      assert.deepEqual(await barriers(page), [], `answer in high contrast, ${width}`);
      assert.equal(await overflow(page), 0);
      await page.locator('.open').first().click();
      await page.waitForSelector('mark.words');
      assert.deepEqual(await barriers(page), [], `text, ${width}`);
      assert.deepEqual(faults, []);
      await context.close();
    }
  });
}
