/** Marked lines as elements, for the pages without a framework. */
import { h } from './dom';
import type { Line, Part } from './marked';

const ARTICLE = /^第[一二三四五六七八九十百千零〇\d]+条(之[一二三四五六七八九十]+)?/;

function element(part: Part): string | HTMLElement {
  return part.mark === '' ? part.text : h('mark', { class: part.mark }, part.text);
}

/** The number of an article stands out, so that the eye finds it. */
function withArticle(parts: Part[]): (string | HTMLElement)[] {
  const [first, ...rest] = parts;
  const number = first ? ARTICLE.exec(first.text)?.[0] : undefined;
  if (!first || !number) return parts.map(element);
  const head = h('strong', { class: 'number' }, number);
  return [
    first.mark === '' ? head : h('mark', { class: first.mark }, head),
    ...[{ ...first, text: first.text.slice(number.length) }, ...rest].filter((one) => one.text).map(element),
  ];
}

function table(line: Line): HTMLElement {
  const row = (cells: Part[][], tag: 'th' | 'td') =>
    h('tr', {}, ...cells.map((parts) => h(tag, tag === 'th' ? { scope: 'col' } : {}, ...parts.map(element))));
  const [header, ...rows] = line.rows;
  return h(
    'div',
    { class: 'table-frame' },
    h('table', {}, header ? h('thead', {}, row(header, 'th')) : null, h('tbody', {}, ...rows.map((one) => row(one, 'td')))),
  );
}

export function lineElement(line: Line): HTMLElement {
  if (line.rows.length > 1) return table(line);
  const { parts } = line;
  if (line.heading === 1) return h('h2', {}, ...parts.map(element));
  if (line.heading === 2) return h('h3', {}, ...parts.map(element));
  return h('p', {}, ...withArticle(parts));
}
