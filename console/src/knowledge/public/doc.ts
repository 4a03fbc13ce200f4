/** The text that an answer cites, opened at the place, with the exact words marked. */
import type { Passage, VersionText } from '../../shared/api';
import { h, replace } from '../../shared/dom';
import { asProblem, get, type Problem } from '../../shared/http';
import { tr } from '../../shared/language';
import { fromBytes, markedLines } from '../../shared/marked';
import { lineElement } from '../../shared/markedDom';
import { cited, dayWords } from '../../shared/status';
import { badge } from './answer';
import { fetchCity, foot, head } from './frame';

interface Place {
  version: string;
  passage: string;
  words: { start: number; len: number }[];
}

function placeOf(url: URL): Place {
  const start = Number(url.searchParams.get('start') ?? NaN);
  const len = Number(url.searchParams.get('len') ?? NaN);
  return {
    version: decodeURIComponent(url.pathname.split('/').filter(Boolean)[1] ?? ''),
    passage: url.searchParams.get('passage') ?? '',
    words: start >= 0 && len > 0 ? [{ start, len }] : [],
  };
}

function facts(text: VersionText): HTMLElement {
  const meta = text.meta;
  const rows: [string, string | undefined][] = [
    [tr('发文字号', 'Number'), meta.number],
    [tr('发文机关', 'Issued by'), meta.issuer],
    [tr('公布日期', 'Published'), dayWords(meta.published)],
    [tr('施行日期', 'In force from'), dayWords(meta.effective)],
    [tr('失效日期', 'No longer in force from'), dayWords(meta.expires)],
  ];
  return h(
    'dl',
    { class: 'facts' },
    ...rows.flatMap(([name, value]) => (value ? [h('dt', {}, name), h('dd', {}, value)] : [])),
  );
}

function where(passage: Passage | undefined): HTMLElement | null {
  if (!passage) return null;
  const words = [passage.path, passage.article].filter((part) => part).join(' › ');
  const jump = () => document.querySelector('mark')?.scrollIntoView({ block: 'center', behavior: 'smooth' });
  return h(
    'p',
    { class: 'where' },
    tr('引用之处：', 'The place cited: '),
    h('button', { type: 'button', class: 'link', onclick: jump }, words || tr('看标出的文字', 'see the marked words')),
  );
}

function article(text: VersionText, at: Place): HTMLElement[] {
  const passage = text.passages.find((one) => one.id === at.passage);
  const [place] = passage ? fromBytes(text.text, [passage]) : [];
  const lines = markedLines(text.text, place ?? null, fromBytes(text.text, at.words));
  document.title = `${text.title} ${passage?.article ?? ''}`;
  return [
    h('h1', {}, cited(text.title)),
    facts(text),
    where(passage) ?? h('p', {}),
    h('article', { class: 'text' }, ...lines.map(lineElement)),
  ];
}

function refused(problem: Problem): HTMLElement[] {
  return [
    h('h1', {}, tr('打不开这份原文', 'This text cannot be opened')),
    h('p', { class: 'plain', role: 'alert' }, problem.title),
    h('p', {}, problem.hint || problem.detail),
    problem.trace_id ? h('p', { class: 'trace' }, `${tr('报障编号', 'Trace')} ${problem.trace_id}`) : h('p'),
  ];
}

/** Stays at the top while reading: which text this is, and whether it holds. */
function bar(text: VersionText | null): HTMLElement {
  return h(
    'div',
    { class: 'bar' },
    backLink(),
    text ? h('span', { class: 'bar-title', 'aria-hidden': 'true' }, text.title) : null,
    text?.meta.status ? badge(text.meta.status) : null,
  );
}

function backLink(): HTMLElement {
  const back = h('a', { class: 'back', href: '/' }, tr('‹ 返回问答', '‹ Back to the answers'));
  back.addEventListener('click', (event) => {
    if (!document.referrer.startsWith(location.origin) || history.length < 2) return;
    event.preventDefault();
    history.back();
  });
  return back;
}

export async function start(): Promise<void> {
  const app = document.getElementById('app');
  if (!app) return;
  const city = await fetchCity();
  const at = placeOf(new URL(location.href));
  let text: VersionText | null = null;
  let problem: Problem | null = null;
  const draw = () => {
    const body = text ? article(text, at) : problem ? refused(problem) : [h('p', {}, tr('正在打开…', 'Opening…'))];
    replace(app, head({ city, redraw: draw }), h('main', { id: 'main', tabindex: -1, class: 'doc' }, bar(text), ...body), foot(city));
  };
  draw();
  try {
    text = await get<VersionText>(`/api/versions/${encodeURIComponent(at.version)}/text`);
  } catch (error) {
    problem = asProblem(error);
  }
  draw();
  (document.querySelector('mark.words') ?? document.querySelector('mark'))?.scrollIntoView({ block: 'center' });
}
