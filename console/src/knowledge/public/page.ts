/** The residents' page: one question box, answers with their papers, no account. */
import type { Answer, City, Turn } from '../../shared/api';
import { h, replace, type Child } from '../../shared/dom';
import { asProblem, post, type Problem } from '../../shared/http';
import { language, tr } from '../../shared/language';
import { answerCard } from './answer';
import { cityName, fetchCity, foot, head, hotlineOf } from './frame';

const KEPT = 'yicheng.conversation';
const MOST_TURNS = 8;
const MOST_CHARS = 500;

interface Exchange {
  question: string;
  answer?: Answer;
  problem?: Problem;
}

let city: City = { name: '' };
let exchanges: Exchange[] = [];
let waiting = false;
let draft = ''; /* what is being typed, kept while the page is drawn anew */

/** Opening a text and coming back must not lose the conversation; closing the tab does. */
function keep(): void {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(exchanges.filter((one) => one.answer)));
  } catch {
    /* too large or refused: then it is not kept */
  }
}

function restore(): Exchange[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? '[]') as Exchange[];
  } catch {
    return [];
  }
}

function turns(): Turn[] {
  return exchanges
    .flatMap(({ question, answer }): Turn[] =>
      answer
        ? [
            { role: 'user', text: question },
            { role: 'assistant', text: answer.text },
          ]
        : [],
    )
    .slice(-MOST_TURNS);
}

async function ask(question: string): Promise<void> {
  if (waiting || question === '') return;
  const earlier = turns();
  const exchange: Exchange = { question };
  exchanges.push(exchange);
  waiting = true;
  draft = '';
  drawExchange(exchange);
  drawAround();
  try {
    exchange.answer = await post<Answer>('/api/ask', { question, turns: earlier }, { anonymous: true });
  } catch (error) {
    exchange.problem = asProblem(error);
  }
  waiting = false;
  keep();
  drawExchange(exchange);
  replace(place.form, questionForm());
  blocks.get(exchange)?.scrollIntoView({ block: 'start', behavior: 'smooth' });
}

function startAgain(): void {
  exchanges = [];
  keep();
  drawAll();
  document.querySelector<HTMLElement>('#question')?.focus();
}

function questionForm(): HTMLElement {
  const first = exchanges.length === 0;
  const box = h('textarea', {
    id: 'question',
    rows: first ? 3 : 2,
    maxlength: MOST_CHARS,
    required: true,
    placeholder: first
      ? tr('例如：身份证丢了怎么补办？', 'For example: how do I replace a lost identity card?')
      : tr('可以接着问，例如：要带什么材料？', 'Ask on, for example: what must I bring?'),
  });
  box.value = draft;
  box.addEventListener('input', () => (draft = box.value));
  const submit = () => {
    void ask(box.value.trim());
  };
  box.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  return h(
    'form',
    {
      class: 'ask',
      role: 'search',
      onsubmit: (event) => {
        event.preventDefault();
        submit();
      },
    },
    h('label', { for: 'question' }, first ? tr('请写下您的问题', 'Your question') : tr('继续提问', 'Ask on')),
    box,
    h(
      'div',
      { class: 'ask-row' },
      h('button', { type: 'submit', class: 'first', disabled: waiting }, tr('提问', 'Ask')),
      first ? null : h('button', { type: 'button', class: 'second', onclick: startAgain }, tr('换一个问题', 'New question')),
    ),
  );
}

function examples(): Child {
  const questions = city.examples ?? [];
  if (exchanges.length > 0 || questions.length === 0) return null;
  return h(
    'section',
    { class: 'examples', 'aria-labelledby': 'examples' },
    h('h2', { id: 'examples' }, tr('大家常问', 'Often asked')),
    h(
      'ul',
      {},
      ...questions
        .slice(0, 8)
        .map((words) => h('li', {}, h('button', { type: 'button', onclick: () => void ask(words) }, words))),
    ),
  );
}

function problemCard(problem: Problem, again: () => void): HTMLElement {
  return h(
    'section',
    { class: 'answer refused', role: 'alert' },
    h('h2', {}, tr('暂时没能答复', 'No answer for now')),
    h('p', { class: 'plain' }, problem.title),
    problem.detail && problem.detail !== problem.title ? h('p', {}, problem.detail) : null,
    problem.hint ? h('p', {}, problem.hint) : null,
    h('button', { type: 'button', class: 'second', onclick: again }, tr('再试一次', 'Try again')),
    problem.trace_id ? h('p', { class: 'trace' }, `${tr('报障编号', 'Trace')} ${problem.trace_id}`) : null,
  );
}

function exchangeBlock(exchange: Exchange): HTMLElement {
  const again = () => {
    exchanges = exchanges.filter((one) => one !== exchange);
    drawAll();
    void ask(exchange.question);
  };
  return h(
    'article',
    { class: 'exchange' },
    h('p', { class: 'asked' }, h('span', { class: 'visually-hidden' }, tr('您问：', 'You asked: ')), exchange.question),
    exchange.answer ? answerCard(exchange.answer, hotlineOf(city)) : null,
    exchange.problem ? problemCard(exchange.problem, again) : null,
    exchange.answer || exchange.problem ? null : h('p', { class: 'waiting' }, tr('正在查找规定…', 'Looking up the rules…')),
  );
}

function intro(): Child {
  if (exchanges.length > 0) return h('h1', { class: 'visually-hidden' }, tr('问答', 'Questions and answers'));
  return h(
    'div',
    { class: 'intro' },
    h('h1', {}, tr('办事、政策，请直接问', 'Ask about services and rules')),
    h(
      'p',
      {},
      city.tagline && language() === 'zh'
        ? city.tagline
        : tr(
            '每个答复都摘自公开文件的原文，注明出处和是否现行有效，可以打开核对。查不到依据的，不会编造。',
            'Every answer quotes a published text, says where it stands and whether it is in force. Where no rule is found, nothing is made up.',
          ),
    ),
  );
}

/* The places of the page stay; what stands in them is drawn anew. The list is a live region, so only
 * the exchange that changed may change in it. */
const place = {
  head: h('div', { class: 'slot' }),
  intro: h('div', { class: 'slot' }),
  list: h('div', { class: 'exchanges', 'aria-live': 'polite' }),
  form: h('div', { class: 'slot' }),
  examples: h('div', { class: 'slot' }),
  foot: h('div', { class: 'slot' }),
};
const blocks = new Map<Exchange, HTMLElement>();

function drawExchange(exchange: Exchange): void {
  const block = exchangeBlock(exchange);
  const before = blocks.get(exchange);
  if (before) before.replaceWith(block);
  else place.list.append(block);
  blocks.set(exchange, block);
}

function drawAround(): void {
  document.title = `${cityName(city)}${tr('政策问答', ' policy answers')}`;
  replace(place.head, head({ city, redraw: drawAll }));
  replace(place.intro, intro());
  replace(place.form, questionForm());
  replace(place.examples, examples());
  replace(place.foot, foot(city));
}

function drawAll(): void {
  blocks.clear();
  replace(place.list);
  exchanges.forEach(drawExchange);
  drawAround();
}

export async function start(): Promise<void> {
  const main = h('main', { id: 'main', tabindex: -1 }, place.intro, place.list, place.form, place.examples);
  document.getElementById('app')?.append(place.head, main, place.foot);
  exchanges = restore();
  drawAll();
  city = await fetchCity();
  drawAll();
}
