/* Annotation, by keyboard: two people label, differ in one item, a third decides; a reviewer returns and accepts; a version comes out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barriers } from './axe.mjs';
import { changePassword, overflow, signIn, visit } from './browser.mjs';

const SECOND = 'walk-annotator';
const SECOND_PASSWORD = 'Biao-Zhu-Yuan-2026';
const TEXTS = ['紫藤路口夜里施工，吵得睡不着😀，请城管局管一管', '居住证怎么续签', '建议在南湖公园加装路灯', '垃圾桶三天没人清运'];

/** A call of the API with the session of the page. */
function api(page, method, path, body, type = 'application/json') {
  return page.evaluate(async ([method, path, body, type]) => {
    const session = await (await fetch('/api/session')).json();
    const response = await fetch(path, { method, headers: { 'X-CSRF-Token': session.csrf_token, 'Content-Type': type }, body: body ?? undefined });
    const words = await response.text();
    return { status: response.status, body: words ? JSON.parse(words) : {} };
  }, [method, path, body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body), type]);
}

async function jobDone(page, id) {
  for (let i = 0; i < 300; i++) {
    const { body } = await api(page, 'GET', `/api/jobs/${id}`);
    if (body.state === 'done') return body;
    assert.ok(body.state === 'queued' || body.state === 'running', `the job ${body.state}: ${body.why}`);
    await page.waitForTimeout(200);
  }
  throw new Error('the job did not end');
}

export function annotate(world) {
  const shot = async (page, name) => {
    if (world.shots) await page.screenshot({ path: `${world.shots}/${name}.png`, fullPage: false });
  };
  const enter = async (name, password = world.demo) => {
    const one = await visit(world.browser);
    await signIn(one.page, world.url, name, password);
    await one.page.waitForSelector('nav.menu');
    return one;
  };
  const leave = async (one) => {
    assert.equal(await overflow(one.page), 0);
    assert.deepEqual(one.faults, []);
    await one.context.close();
  };
  const select = async (page, trigger, words) => {
    await trigger.click();
    await page.locator('.el-select-dropdown__item:visible', { hasText: words }).first().click();
    await page.waitForFunction(() => ![...document.querySelectorAll('.el-select__popper')].some((one) => getComputedStyle(one).display !== 'none'));
  };
  const place = async (page, role, name) => {
    await page.click(`.el-radio-button:has-text("${role}")`);
    await select(page, page.locator('.filters .el-select'), name);
    await page.click('button:has-text("加入项目")');
    await page.locator('table.list td', { hasText: name }).first().waitFor();
  };
  const projects = {};

  test('a second annotator gets an account', async () => {
    const admin = await enter('demo-tenant_admin');
    const made = await api(admin.page, 'POST', '/api/users', { name: SECOND, display_name: '第二标注员', roles: ['annotator'] });
    assert.ok(made.status < 300, JSON.stringify(made));
    await admin.context.close();
    const one = await visit(world.browser);
    const first = made.body.first_password ?? made.body.password;
    assert.ok(first, `no first password in ${JSON.stringify(made.body)}`);
    await signIn(one.page, world.url, SECOND, first);
    await changePassword(one.page, first, SECOND_PASSWORD);
    await one.context.close();
  });

  test('a project is made over a data set, with guidelines and people', async () => {
    const one = await enter('demo-steward');
    const { page } = one;
    const lines = TEXTS.map((text) => JSON.stringify({ text })).join('\n');
    const sent = await api(page, 'POST', `/api/datasets/walk-letters/uploads?filename=letters.jsonl&title=${encodeURIComponent('走查信件')}&kind=text&licence=own`, lines, 'application/octet-stream');
    assert.equal(sent.status, 202, JSON.stringify(sent));
    await jobDone(page, sent.body.job.id);
    await page.goto(`${world.url}/console/annotation_new`);
    await select(page, page.locator('.new-project .el-select').first(), '走查信件');
    await page.locator('.template-on', { hasText: '分类' }).waitFor();
    await page.fill('[name=guidelines]', '# 怎么判断\n- **投诉**：反映问题、要求处理\n- **咨询**：问怎么办\n- **建议**：提改进意见\n\n拿不准时按 `S` 跳过并写明原因。');
    await page.locator('.inline', { hasText: '每条几人标注' }).locator('input').fill('2');
    await page.locator('.inline', { hasText: '每条几人标注' }).locator('input').press('Tab');
    await shot(page, 'annotate-new');
    assert.equal(await overflow(page), 0);
    await page.click('button:has-text("建立项目")');
    await page.waitForURL(/\/console\/annotation\/[0-9a-f-]{36}$/);
    projects.first = page.url().split('/').pop();
    await page.locator('.badge', { hasText: '进行中' }).waitFor();
    await page.click('.el-tabs__item:has-text("人员")');
    await place(page, '标注员', '第二标注员');
    await place(page, '标注员', '演示标注员');
    await place(page, '审核员', '周敏');
    await shot(page, 'annotate-people');
    await leave(one);
  });

  test('two people label by keyboard; undo and skip work', async () => {
    const one = await enter('demo-annotator');
    const { page } = one;
    await page.goto(`${world.url}/console/annotation`);
    await page.click('button:has-text("开始标注")');
    await page.locator('.span-text', { hasText: '紫藤路口' }).waitFor();
    await shot(page, 'annotate-work');
    assert.deepEqual(await barriers(page), []);
    assert.equal(await overflow(page), 0);
    await page.keyboard.press('?');
    await page.locator('.key-list td', { hasText: '跳过并写明原因' }).waitFor();
    await page.keyboard.press('?');
    await page.locator('.key-list td', { hasText: '跳过并写明原因' }).waitFor({ state: 'hidden' });
    await page.keyboard.press('Enter');
    await page.locator('.field-error', { hasText: '还没有填' }).waitFor();
    await page.keyboard.press('1');
    await page.locator('.chip.on', { hasText: '投诉' }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.span-text', { hasText: '居住证' }).waitFor();
    await page.keyboard.press('2');
    await page.keyboard.press('Enter');
    await page.locator('.span-text', { hasText: '南湖公园' }).waitFor();
    await page.keyboard.press('z'); /* nothing done here yet: the last one comes back */
    await page.locator('.span-text', { hasText: '居住证' }).waitFor();
    await page.locator('.chip.on', { hasText: '咨询' }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.span-text', { hasText: '南湖公园' }).waitFor();
    await page.keyboard.press('3');
    await page.keyboard.press('Enter');
    await page.locator('.span-text', { hasText: '垃圾桶' }).waitFor();
    await page.keyboard.press('s');
    await page.fill('[name=skip-reason]', '内容不完整');
    await shot(page, 'annotate-skip');
    await page.keyboard.press('Enter');
    await page.locator('.empty', { hasText: '没有分给您的条目' }).waitFor();
    await leave(one);

    const two = await enter(SECOND, SECOND_PASSWORD);
    await two.page.goto(`${world.url}/console/annotation/${projects.first}/work`);
    for (const [text, key] of [['紫藤路口', '1'], ['居住证', '1'], ['南湖公园', '3'], ['垃圾桶', '1']]) {
      await two.page.locator('.span-text', { hasText: text }).waitFor();
      await two.page.keyboard.press(key);
      await two.page.locator('.chip.on').waitFor();
      await two.page.keyboard.press('Enter');
    }
    await two.page.locator('.empty', { hasText: '没有分给您的条目' }).waitFor();
    await leave(two);
  });

  test('a third person decides what they disagree on, without seeing names', async () => {
    const one = await enter('zhoumin');
    const { page } = one;
    await page.goto(`${world.url}/console/annotation/${projects.first}/disputes`);
    await page.locator('.span-text', { hasText: '居住证' }).waitFor();
    await page.locator('.said', { hasText: '#2' }).waitFor();
    assert.doesNotMatch(await page.locator('.work-side').innerText(), /演示标注员|第二标注员/);
    await shot(page, 'annotate-disputes');
    assert.deepEqual(await barriers(page), []);
    assert.equal(await overflow(page), 0);
    const answers = await page.locator('.said').allInnerTexts();
    await page.keyboard.press(String(answers.findIndex((words) => words.includes('咨询')) + 1));
    await page.keyboard.press('Enter');
    await page.locator('.span-text', { hasText: '垃圾桶' }).waitFor();
    await page.locator('.said', { hasText: '内容不完整' }).waitFor();
    await page.keyboard.press('f');
    await page.locator('button:has-text("按此定稿")').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.empty', { hasText: '没有待裁定' }).waitFor();
    await leave(one);
  });

  test('spans are marked with the mouse and by keyboard; a reviewer returns one and accepts the other', async () => {
    const steward = await enter('demo-steward');
    const { page } = steward;
    const labels = { show: [{ name: 'text', kind: 'text', path: 'text' }], fields: [{ name: 'ner', kind: 'spans', title: '划出', to: 'text', labels: ['地点', '机构'] }] };
    const made = await api(page, 'POST', '/api/annotation_projects', { title: '划地名', dataset: 'walk-letters', labels, review: 100, limit: 2, prelabel: { from: 'dictionary', to: 'ner', terms: [{ term: '城管局', label: '机构' }] } });
    assert.equal(made.status, 201, JSON.stringify(made));
    projects.second = made.body.id;
    await jobDone(page, made.body.job);
    for (const [user, body] of [['demo-annotator', { work: true }], ['zhoumin', { review: true }]])
      assert.equal((await api(page, 'PUT', `/api/annotation_projects/${projects.second}/members/${user}`, body)).status, 200);
    await steward.context.close();

    const one = await enter('demo-annotator');
    await one.page.goto(`${world.url}/console/annotation/${projects.second}/work`);
    await one.page.locator('.piece.marked', { hasText: '城管局' }).waitFor(); /* suggested */
    await one.page.locator('.pre-note').waitFor();
    await one.page.keyboard.press('1');
    const box = await one.page.locator('.piece').first().boundingBox();
    const size = 21; /* of a character in large type */
    await one.page.mouse.move(box.x + 2, box.y + box.height / 2);
    await one.page.mouse.down();
    await one.page.mouse.move(box.x + size * 4 + 1, box.y + box.height / 2, { steps: 5 });
    await one.page.mouse.up();
    await one.page.locator('.piece.marked', { hasText: '紫藤路口' }).waitFor();
    await shot(one.page, 'annotate-spans');
    assert.deepEqual(await barriers(one.page), []);
    assert.equal(await overflow(one.page), 0);
    await one.page.keyboard.press('Enter');
    await one.page.locator('.span-text', { hasText: '居住证' }).waitFor();
    await one.page.locator('.span-text').focus();
    await one.page.keyboard.press('Home');
    for (let i = 0; i < 3; i++) await one.page.keyboard.press('Shift+ArrowRight');
    await one.page.keyboard.press('2');
    await one.page.locator('.piece.marked', { hasText: '居住证' }).waitFor();
    await one.page.keyboard.press('Enter');
    await one.page.locator('.empty', { hasText: '没有分给您的条目' }).waitFor();
    await leave(one);

    const two = await enter('zhoumin');
    await two.page.goto(`${world.url}/console/annotation/${projects.second}/review`);
    await two.page.locator('.span-text .marked', { hasText: '紫藤路口' }).waitFor();
    await shot(two.page, 'annotate-review');
    assert.deepEqual(await barriers(two.page), []);
    await two.page.keyboard.press('Enter');
    await two.page.locator('.span-text', { hasText: '居住证' }).waitFor();
    await two.page.keyboard.press('r');
    await two.page.fill('[name=return-comment]', '居住证不是机构');
    await two.page.locator('.el-dialog button[type=submit]').click();
    await two.page.locator('.empty', { hasText: '没有待审核' }).waitFor();
    await leave(two);

    const again = await enter('demo-annotator');
    await again.page.goto(`${world.url}/console/annotation/${projects.second}/work`);
    await again.page.locator('.notice', { hasText: '居住证不是机构' }).waitFor();
    await again.page.locator('.marks .mark-away').click();
    await again.page.keyboard.press('Enter');
    await again.page.locator('.empty').waitFor();
    await leave(again);
  });

  test('agreement is shown, a version comes out with papers, Label Studio gets its file', async () => {
    const one = await enter('demo-steward');
    const { page } = one;
    await page.goto(`${world.url}/console/annotation/${projects.first}`);
    await shot(page, 'annotate-project');
    await page.click('.el-tabs__item:has-text("统计")');
    await page.locator('table.list', { hasText: 'Krippendorff' }).waitFor();
    assert.match(await page.locator('.el-tab-pane:visible').innerText(), /第二标注员/);
    await shot(page, 'annotate-statistics');
    assert.equal(await overflow(page), 0);
    await page.click('.el-tabs__item:has-text("条目")');
    await page.locator('td', { hasText: '已定稿' }).first().waitFor();
    await shot(page, 'annotate-items');
    await page.click('.el-tabs__item:has-text("规范")');
    await shot(page, 'annotate-guidelines');
    await page.click('.el-tabs__item:has-text("设置")');
    await shot(page, 'annotate-settings');
    await page.click('.el-tabs__item:has-text("成果")');
    await page.fill('[name=result-dataset]', 'walk-letters-labelled');
    await shot(page, 'annotate-result');
    await page.locator('.panel button[type=submit]').click();
    await page.waitForURL(/\/console\/jobs\//);
    const job = await jobDone(page, page.url().split('/').pop());
    const result = typeof job.result === 'string' ? JSON.parse(job.result) : job.result;
    assert.equal(result.n_records, 4);
    assert.equal(result.kind, 'classification');
    const records = (await api(page, 'GET', '/api/datasets/walk-letters-labelled/records?limit=10')).body.items;
    assert.deepEqual(records.map((row) => row.label), ['投诉', '咨询', '建议', '投诉']);
    const tasks = (await api(page, 'GET', `/api/annotation_projects/${projects.second}/export?format=label_studio`)).body;
    const place = tasks[0].annotations[0].result.find((row) => row.value.labels[0] === '机构');
    assert.equal(tasks[0].data.text.slice(place.value.start, place.value.end), '城管局'); /* UTF-16, as there */
    await page.goto(`${world.url}/console/annotation`);
    await page.locator('table.list', { hasText: '划地名' }).waitFor();
    await shot(page, 'annotate-list');
    await leave(one);
  });
}
