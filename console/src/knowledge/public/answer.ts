/** One answer as residents see it: exact words, whose they are, whether they hold today. */
import type { Answer, Hit, Quote, Verdict } from '../../shared/api';
import { canSpeak, speak } from '../../shared/comfort';
import { h, type Child } from '../../shared/dom';
import { post } from '../../shared/http';
import { tr } from '../../shared/language';
import { markedLines } from '../../shared/marked';
import { lineElement } from '../../shared/markedDom';
import { writtenWords } from '../methods';
import { cited, dayWords, placeLink, statusSign } from '../../shared/status';

export function badge(status: string): HTMLElement {
  const sign = statusSign(status);
  return h(
    'span',
    { class: `badge badge-${sign.tone}` },
    h('span', { 'aria-hidden': 'true' }, sign.symbol),
    sign.words,
  );
}

function datesOf(hit: Hit): string {
  const words: string[] = [];
  if (hit.effective) words.push(tr(`${dayWords(hit.effective)}起施行`, `in force from ${dayWords(hit.effective)}`));
  if (hit.expires)
    words.push(
      hit.status === 'in_force'
        ? tr(`${dayWords(hit.expires)}起失效`, `until ${dayWords(hit.expires)}`)
        : tr(`${dayWords(hit.expires)}已失效`, `ended ${dayWords(hit.expires)}`),
    );
  return words.join(tr('，', ', '));
}

function source(hit: Hit, quote?: Quote): HTMLElement {
  const facts = [hit.number, hit.issuer, datesOf(hit)].filter((words) => words).join(' · ');
  return h(
    'footer',
    { class: 'source' },
    h(
      'p',
      { class: 'source-title' },
      h('cite', {}, `${cited(hit.title)}${hit.article ? ` ${hit.article}` : ''}`),
      ' ',
      badge(hit.status),
    ),
    facts ? h('p', { class: 'source-facts' }, facts) : null,
    h('a', { class: 'open', href: placeLink(hit, quote) }, tr('打开原文', 'Open the text'), h('span', { 'aria-hidden': 'true' }, ' ›')),
  );
}

/** Quotes that stand in one passage are shown over one source. */
function grouped(answer: Answer): { hit: Hit; quotes: Quote[] }[] {
  const groups = new Map<number, Quote[]>();
  for (const quote of answer.quotes) groups.set(quote.hit, [...(groups.get(quote.hit) ?? []), quote]);
  return [...groups].flatMap(([index, quotes]) => {
    const hit = answer.hits[index];
    return hit ? [{ hit, quotes }] : [];
  });
}

function quoteBlock(group: { hit: Hit; quotes: Quote[] }): HTMLElement {
  return h(
    'blockquote',
    { class: 'quote' },
    ...group.quotes.map((quote) =>
      h(
        'div',
        { class: 'quote-text' },
        quote.field ? h('strong', { class: 'field' }, `${quote.field}${tr('：', ': ')}`) : null,
        ...markedLines(quote.text, null, []).map(lineElement),
      ),
    ),
    source(group.hit, group.quotes[0]),
  );
}

function related(answer: Answer, shown: Set<number>): Child {
  const rest = answer.hits.filter((_, index) => !shown.has(index)).slice(0, 4);
  if (rest.length === 0) return null;
  return h(
    'details',
    { class: 'related' },
    h('summary', {}, tr('其他相关的规定', 'Other related texts')),
    h(
      'ul',
      {},
      ...rest.map((hit) =>
        h(
          'li',
          {},
          h('a', { href: placeLink(hit) }, `${cited(hit.title)}${hit.article ? ` ${hit.article}` : ''}`),
          ' ',
          badge(hit.status),
        ),
      ),
    ),
  );
}

function spoken(answer: Answer): string {
  if (answer.refused) return answer.text;
  return grouped(answer)
    .map(({ hit, quotes }) => `${cited(hit.title)}${hit.article}：${quotes.map((q) => q.field + q.text).join('')}`)
    .join('。');
}

function speakButton(answer: Answer): Child {
  if (!canSpeak) return null;
  const words = (on: boolean) => (on ? tr('停止朗读', 'Stop reading') : tr('朗读', 'Read aloud'));
  const button = h('button', { type: 'button', class: 'quiet' }, words(false));
  button.addEventListener('click', () => {
    const starts = !window.speechSynthesis.speaking;
    button.textContent = words(starts);
    speak(spoken(answer), () => (button.textContent = words(false)));
  });
  return button;
}

/** Thumbs, and the words of somebody who knows better: they go to the stewards' queue. */
function feedback(answer: Answer): HTMLElement {
  const said = h('p', { class: 'said', role: 'status' });
  const send = async (verdict: Verdict, correction: string) => {
    try {
      const body = correction ? { verdict, correction } : { verdict };
      await post(`/api/answers/${encodeURIComponent(answer.id)}/feedback`, body, { anonymous: true });
      said.textContent = tr('谢谢，已经收到。', 'Thank you, received.');
      form.hidden = true;
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  const right = h('textarea', {
    rows: 3,
    maxlength: 1000,
    'aria-label': tr('正确的答复应该是', 'What the answer should be'),
    placeholder: tr('请写下正确的说法，最好说明依据。请不要填写姓名、身份证号等个人信息。', 'Write what is right, and where it stands. No personal data, please.'),
  });
  const form = h(
    'form',
    {
      class: 'correct',
      onsubmit: (event) => {
        event.preventDefault();
        if (right.value.trim()) void send('wrong', right.value.trim());
        else right.focus();
      },
    },
    right,
    h('button', { type: 'submit', class: 'second' }, tr('提交更正', 'Send the correction')),
  );
  form.hidden = true;
  const button = (words: string, then: () => void) =>
    h('button', { type: 'button', class: 'quiet', onclick: then }, words);
  return h(
    'div',
    { class: 'feedback' },
    h(
      'div',
      { class: 'feedback-row' },
      speakButton(answer),
      button(tr('有帮助', 'Helpful'), () => void send('up', '')),
      button(tr('没帮助', 'Not helpful'), () => void send(answer.refused ? 'missing' : 'down', '')),
      button(tr('不对，应该是…', 'Wrong, it should be…'), () => {
        form.hidden = !form.hidden;
        if (!form.hidden) right.focus();
      }),
    ),
    form,
    said,
  );
}

function refusal(answer: Answer, hotline: string): HTMLElement[] {
  return [
    h('h2', {}, tr('没有找到可以作为依据的规定', 'No rule was found that answers this')),
    h('p', { class: 'plain' }, answer.text),
    h('a', { class: 'call', href: `tel:${hotline}` }, tr(`拨打 ${hotline} 咨询`, `Call ${hotline}`)),
  ];
}

function found(answer: Answer): Child[] {
  const groups = grouped(answer);
  const how: Record<string, string> = {
    faq: tr('主管部门的答复', 'Answer of the authority'),
    field: tr('办事指南写明', 'From the service guide'),
    model: tr('根据下列规定归纳', 'Written from these rules'),
  };
  return [
    h('h2', {}, how[answer.method] ?? tr('规定原文', 'What the rule says')),
    answer.notice
      ? h('p', { class: 'notice', role: 'note' }, h('span', { 'aria-hidden': 'true' }, '⚠ '), answer.notice)
      : null,
    answer.method === 'model'
      ? h('p', { class: 'generated', role: 'note' }, tr('以下归纳由人工智能生成，', 'AI-generated. '), writtenWords(answer))
      : null,
    answer.method === 'model' || groups.length === 0 ? h('p', { class: 'plain' }, answer.text) : null,
    ...groups.map(quoteBlock),
  ];
}

export function answerCard(answer: Answer, hotline: string): HTMLElement {
  const shown = new Set(answer.quotes.map((quote) => quote.hit));
  return h(
    'section',
    { class: answer.refused ? 'answer refused' : 'answer', 'aria-label': tr('答复', 'Answer') },
    ...(answer.refused ? refusal(answer, hotline) : found(answer)),
    related(answer, shown),
    feedback(answer),
  );
}
