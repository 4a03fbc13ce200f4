// bench/make_questions.mjs DATASETS OUT: turns the public data sets into question files and documents for
// `yicheng eval retrieval`. Nothing is copied into the repository; OUT is a scratch folder.
//   OUT/lecoqa.jsonl          laypeople's questions, gold: title and article (over laws)
//   OUT/cmrc/*.txt, cmrc.jsonl   256 passages as documents, 1,002 questions, gold: a substring of the passage
//   OUT/evidence_train.jsonl  the same questions with passage and answers, for bench/train_quote
//   OUT/evidence.jsonl        515 questions with passage, answers and gold evidence, for `yicheng eval evidence`
//   OUT/foreign.jsonl         questions of encyclopedias (CMRC 2018) and instructions to chat programs, gold []: neither
//                             a city nor the law answers them
//   OUT/guides.jsonl          questions made from service guides in eight wordings a field, gold: the record's title
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [datasets, out] = process.argv.slice(2);
if (!datasets || !out) {
  console.error('usage: node bench/make_questions.mjs DATASETS OUT');
  process.exit(2);
}
mkdirSync(join(out, 'cmrc'), { recursive: true });
// The set was written by a program that puts NaN where nothing stands; JSON has no such word.
const read = (path) => JSON.parse(readFileSync(join(datasets, path), 'utf8').replace(/: NaN\b/g, ': null'));
const lines = (rows) => rows.map((r) => JSON.stringify(r)).join('\n') + '\n';

/** A fixed split by the question's own hash, so that nobody chooses: 60 train, 20 dev, 20 test. */
function split(question) {
  const share = createHash('sha256').update(question).digest().readUInt32BE(0) / 2 ** 32;
  return share < 0.6 ? 'train' : share < 0.8 ? 'dev' : 'test';
}

function lecoqa() {
  const rows = read('lecoqa/queries.train.json').map((item) => ({
    question: item['问题'],
    gold: Object.keys(item['相关法规']).map((name) => {
      const hit = /^(.*?)(第[零一二三四五六七八九十百千]+条(?:之[一二三四五六七八九十]+)?)$/.exec(name.trim());
      return hit ? { title: hit[1], article: hit[2] } : { title: name.trim() };
    }),
    keywords: item['关键词'] ?? '',
    reply: item['答案文本'] ?? '',
    split: split(item['问题']),
  }));
  writeFileSync(join(out, 'lecoqa.jsonl'), lines(rows));
  return rows.length;
}

function cmrc() {
  const rows = [];
  const train = [];
  let n = 0;
  const data = read('cmrc2018/cmrc2018_trial.json');
  for (const item of Array.isArray(data) ? data : data.data) {
    for (const p of item.paragraphs ?? [{ context: item.context_text, qas: item.qas }]) {
      const context = p.context ?? item.context_text;
      const name = `p${String(++n).padStart(4, '0')}`;
      writeFileSync(join(out, 'cmrc', `${name}.txt`), `${name}\n\n${context}\n`);
      for (const q of p.qas) {
        rows.push({ question: q.question ?? q.query_text, gold: [{ title: name }] });
        train.push({ context, question: q.question ?? q.query_text, answers: q.answers.map((a) => a.text ?? a) });
      }
    }
  }
  writeFileSync(join(out, 'cmrc.jsonl'), lines(rows));
  writeFileSync(join(out, 'evidence_train.jsonl'), lines(train));
  return rows.length;
}

function evidence() {
  const rows = read('expmrc/expmrc-cmrc2018-dev.json').data.flatMap((item) =>
    item.paragraphs.flatMap((p) =>
      p.qas.map((q) => ({ context: p.context, question: q.question, answers: q.answers.map((a) => a.text), evidences: q.evidences })),
    ),
  );
  writeFileSync(join(out, 'evidence.jsonl'), lines(rows));
  return rows.length;
}

// Wordings as people at a counter speak; none holds the name of a field.
const wordings = {
  DEPT_NAME: ['{}归哪个部门管？', '{}这件事找谁办', '想办{}，是哪个单位负责的？', '{}由谁来审批', '{}该找哪个局', '请问{}是什么部门在办', '我要办{}，归谁管呀', '{}找哪个机构'],
  handle_location: ['{}要去哪里办？', '我想办{}，该到什么地方去', '{}在哪儿弄', '办{}往哪跑', '请问{}的办事窗口在哪里', '{}需要到哪里现场提交', '{}怎么走，在什么位置', '去哪能办{}'],
  handle_time_limit: ['{}几天能办好？', '办{}要等多久', '{}多长时间能批下来', '请问{}大概要多少天', '{}办下来快不快，要多久', '申请{}以后多久有结果', '{}几个工作日能办完', '{}最晚什么时候能办好'],
  consult_phone: ['{}有问题打哪个电话？', '想问{}的事，有没有联系方式', '{}怎么联系工作人员', '请问{}的咨询号码是多少', '{}不懂的话打什么电话问', '{}找谁咨询，电话多少', '能告诉我{}的联系电话吗', '要了解{}，打哪里'],
  material_intro: ['{}要带什么？', '办{}需要准备哪些东西', '{}得交什么材料', '申请{}都要哪些资料', '我去办{}要带齐哪些证件和文件', '{}要提交些什么', '请问{}需要什么手续材料', '办理{}应该准备什么'],
};

function guides() {
  const records = readFileSync(join(datasets, 'service-guides/data/policy.json'), 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
  const times = new Map();
  for (const r of records) times.set(r.TASK_NAME, (times.get(r.TASK_NAME) ?? 0) + 1);
  const empty = (v) => v == null || v === '' || v === '无' || v === 'null' || (Array.isArray(v) && v.length === 0);
  const rows = [];
  for (const r of records) {
    if (times.get(r.TASK_NAME) > 1) continue; // a name that several records share names no record
    for (const [field, forms] of Object.entries(wordings)) {
      if (empty(r[field])) continue;
      // One wording a record and field, chosen by hash: every wording is used for about an eighth.
      const pick = createHash('sha256').update(r.TASK_CODE + field).digest().readUInt32BE(0);
      const question = forms[pick % forms.length].replace('{}', r.TASK_NAME);
      const values = Array.isArray(r[field]) ? r[field] : [r[field]];
      rows.push({ question, gold: [{ title: r.TASK_NAME }], answer_contains: values.map((v) => String(v).trim()), field, split: split(question) });
    }
  }
  writeFileSync(join(out, 'guides.jsonl'), lines(rows));
  return rows.length;
}

function foreign() {
  const cmrc = readFileSync(join(out, 'cmrc.jsonl'), 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l).question);
  const chat = read('sft-dpo-zh/llama-factory/data/alpaca_zh_demo.json')
    .filter((x) => !x.input && [...x.instruction].length <= 40)
    .map((x) => x.instruction);
  const rows = [...cmrc.map((q) => [q, 'cmrc']), ...chat.map((q) => [q, 'chat'])]
    .filter(([question]) => question.trim())
    .map(([question, from]) => ({ question, gold: [], from, split: split(question) }));
  writeFileSync(join(out, 'foreign.jsonl'), lines(rows));
  return rows.length;
}

console.log(`lecoqa ${lecoqa()}, cmrc ${cmrc()}, evidence ${evidence()}, guides ${guides()}, foreign ${foreign()} questions in ${out}`);
