/** Records as people read them: their texts, and what changed from one line to the next. */
import { tr } from '../shared/language';
import type { DataRecord } from './types';

const HIDDEN = new Set(['id', 'meta', 'split']);

export function parseLine(line: string): DataRecord | null {
  try {
    const value: unknown = JSON.parse(line);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as DataRecord) : null;
  } catch {
    return mended(line);
  }
}

/** A line that was cut off within a text: what is there of it, or null when it does not come right. */
function mended(line: string): DataRecord | null {
  const cut = line.replace(/…$/, '').replace(/\\u?[0-9a-fA-F]{0,3}$/, '');
  for (const end of ['"}', '}', '"}]}', '"}}', '"]}']) {
    try {
      return JSON.parse(`${cut}${end}`) as DataRecord;
    } catch {
      /* the next end */
    }
  }
  return null;
}

export function memberWords(name: string): string {
  const words: Record<string, string> = {
    text: tr('正文', 'Text'), title: tr('标题', 'Title'), question: tr('问', 'Question'), answer: tr('答', 'Answer'), context: tr('依据', 'Context'),
    messages: tr('对话', 'Messages'), prompt: tr('提示', 'Prompt'), chosen: tr('较好的回答', 'Chosen'), rejected: tr('较差的回答', 'Rejected'),
    label: tr('标签', 'Label'), spans: tr('片段', 'Spans'), caption: tr('图说', 'Caption'), image: tr('图片', 'Picture'), row: tr('表格行', 'Row'),
    split: tr('划分', 'Split'), meta: tr('附注', 'Meta'), id: tr('编号', 'Id'),
  };
  return words[name] ?? name;
}

export function roleWords(role: string): string {
  const words: Record<string, string> = {
    user: tr('用户', 'User'), assistant: tr('助手', 'Assistant'), system: tr('系统', 'System'), tool: tr('工具', 'Tool'),
  };
  return words[role] ?? role;
}

export interface Message {
  role: string;
  content: string;
}

export function messages(value: unknown): Message[] {
  if (typeof value === 'string') return [{ role: 'user', content: value }];
  if (!Array.isArray(value)) {
    if (value !== null && typeof value === 'object' && 'content' in value) return messages([value]);
    return [];
  }
  return value.filter((one): one is Message => one !== null && typeof one === 'object' && 'content' in one)
    .map((one) => ({ role: String(one.role), content: typeof one.content === 'string' ? one.content : JSON.stringify(one.content) }));
}

export function words(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  const talk = messages(value);
  if (talk.length > 0) return talk.map((one) => `${roleWords(one.role)}：${one.content}`).join('\n');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export interface Member {
  name: string;
  before: string;
  after: string;
}

/** The members that differ; all of them when one side is missing. */
export function changes(before: DataRecord | null, after: DataRecord | null): Member[] {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return names
    .filter((name) => name !== 'id')
    .map((name) => ({ name, before: words(before?.[name]), after: words(after?.[name]) }))
    .filter((one) => one.before !== one.after);
}

/** The members that a kind has no place of its own for. */
export function others(record: DataRecord, known: string[]): [string, string][] {
  const out: [string, string][] = [];
  const meta = record['meta'];
  if (meta !== null && typeof meta === 'object') for (const [name, value] of Object.entries(meta)) out.push([name, words(value)]);
  for (const [name, value] of Object.entries(record))
    if (!HIDDEN.has(name) && !known.includes(name)) out.push([name, words(value)]);
  return out;
}

export interface Piece {
  text: string;
  label: string;
}

/** A text cut at its spans, which are in characters; what overlaps an earlier one is left out. */
export function pieces(text: string, spans: unknown): Piece[] {
  const letters = Array.from(text);
  const list = (Array.isArray(spans) ? spans : [])
    .filter((one): one is { start: number; end: number; label: string } => one !== null && typeof one === 'object' && typeof one.start === 'number' && typeof one.end === 'number')
    .sort((a, b) => a.start - b.start);
  const out: Piece[] = [];
  let at = 0;
  for (const one of list) {
    if (one.start < at || one.end > letters.length || one.end <= one.start) continue;
    if (one.start > at) out.push({ text: letters.slice(at, one.start).join(''), label: '' });
    out.push({ text: letters.slice(one.start, one.end).join(''), label: String(one.label) });
    at = one.end;
  }
  if (at < letters.length) out.push({ text: letters.slice(at).join(''), label: '' });
  return out;
}

/** One of eight colours for a label, the same each time. */
export function shade(label: string): number {
  let sum = 0;
  for (const letter of label) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  return sum % 8;
}
