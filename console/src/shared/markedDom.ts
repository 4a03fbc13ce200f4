/** Marked lines as elements, for the pages without a framework. */
import { h } from './dom';
import type { Line, Part } from './marked';

function element(part: Part): string | HTMLElement {
  const words = part.lead ? h('strong', { class: 'lead' }, part.text) : part.text;
  return part.mark === '' ? words : h('mark', { class: part.mark }, words);
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
  return h('p', {}, ...parts.map(element));
}
