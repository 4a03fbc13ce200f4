/** A text cut into lines with the marked parts told apart. Offsets count UTF-16 units. */
export interface Range {
  start: number;
  end: number;
}

export interface Part {
  text: string;
  /** '' plain, 'passage' the cited place, 'words' the exact words quoted. */
  mark: '' | 'passage' | 'words';
  /** The number of an article or the name of a field: it stands out, so that the eye finds it. */
  lead: boolean;
}

/** A line of text, or a table: lines of cells parted by " | ", the first of them its header. */
export interface Line {
  start: number;
  heading: 0 | 1 | 2;
  parts: Part[];
  rows: Part[][][];
}

/** Ranges as the server gives them, in bytes of UTF-8, as ranges of this string. */
export function fromBytes(text: string, ranges: { start: number; len: number }[]): Range[] {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const units = (until: number) => decoder.decode(bytes.subarray(0, until)).length;
  return ranges.map(({ start, len }) => {
    const from = units(start);
    return { start: from, end: from + decoder.decode(bytes.subarray(start, start + len)).length };
  });
}

const CHAPTER = /^\s*(第[一二三四五六七八九十百零〇\d]+[编章节]|[一二三四五六七八九十]+、)/;
const CELL = ' | ';

function headingOf(line: string): 0 | 1 | 2 {
  const signs = /^(#{1,6}) /.exec(line)?.[1];
  if (signs) return signs.length === 1 ? 1 : 2;
  if (line.length > 40 || !CHAPTER.test(line)) return 0;
  return /^\s*第.{1,6}[编章]/.test(line) ? 1 : 2;
}

/** The signs before a heading are for machines: they are not shown. */
function withoutSigns(parts: Part[]): Part[] {
  const [first, ...rest] = parts;
  return first ? [{ ...first, text: first.text.replace(/^\s*#{1,6}\s+/, '') }, ...rest] : parts;
}

const LEAD = /^(第[一二三四五六七八九十百千零〇\d]+条(之[一二三四五六七八九十]+)?|[^\s，。；：、（]{2,12}：)/;

function withLead(parts: Part[]): Part[] {
  const [first, ...rest] = parts;
  const lead = first ? LEAD.exec(first.text)?.[0] : undefined;
  if (!first || !lead) return parts;
  const tail = { ...first, text: first.text.slice(lead.length) };
  return [{ ...first, text: lead, lead: true }, ...(tail.text ? [tail] : []), ...rest];
}

function markAt(position: number, passage: Range | null, words: Range[]): Part['mark'] {
  if (words.some((r) => position >= r.start && position < r.end)) return 'words';
  return passage && position >= passage.start && position < passage.end ? 'passage' : '';
}

function partsOf(line: string, start: number, passage: Range | null, words: Range[]): Part[] {
  const edges = new Set<number>([0, line.length]);
  for (const range of passage ? [passage, ...words] : words)
    for (const edge of [range.start - start, range.end - start])
      if (edge > 0 && edge < line.length) edges.add(edge);
  const sorted = [...edges].sort((a, b) => a - b);
  const parts: Part[] = [];
  sorted.forEach((from, i) => {
    const to = sorted[i + 1];
    if (to === undefined || to === from) return;
    parts.push({ text: line.slice(from, to), mark: markAt(start + from, passage, words), lead: false });
  });
  return parts;
}

type Mark = (text: string, start: number) => Part[];

function cellsOf(line: string, start: number, mark: Mark): Part[][] {
  let at = start;
  return line.split(CELL).map((cell) => {
    const parts = mark(cell, at);
    at += cell.length + CELL.length;
    return parts;
  });
}

/** Adds a row to the table before it, when there is one of as many columns. */
function addRow(lines: Line[], cells: Part[][], row: Line): void {
  const table = lines[lines.length - 1];
  if (table && table.rows[0]?.length === cells.length) table.rows.push(cells);
  else lines.push({ ...row, rows: [cells] });
}

export function markedLines(text: string, passage: Range | null, words: Range[]): Line[] {
  const mark: Mark = (line, start) => partsOf(line, start, passage, words);
  const lines: Line[] = [];
  let start = 0;
  for (const line of text.split('\n')) {
    const plain: Line = { start, heading: headingOf(line), parts: withLead(withoutSigns(mark(line, start))), rows: [] };
    if (line.includes(CELL)) addRow(lines, cellsOf(line, start, mark), plain);
    else if (line.trim() !== '') lines.push(plain);
    start += line.length + 1;
  }
  return lines;
}
