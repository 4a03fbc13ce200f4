/** A text cut into lines with the marked parts told apart. Offsets count UTF-16 units. */
export interface Range {
  start: number;
  end: number;
}

export interface Part {
  text: string;
  /** '' plain, 'passage' the cited place, 'words' the exact words quoted. */
  mark: '' | 'passage' | 'words';
}

export interface Line {
  start: number;
  parts: Part[];
  heading: 0 | 1 | 2;
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

const CHAPTER = /^\s*(#{1,6}\s|第[一二三四五六七八九十百零〇\d]+[编章节分]|[一二三四五六七八九十]+、)/;

function headingOf(line: string): 0 | 1 | 2 {
  if (line.length > 40 || !CHAPTER.test(line)) return 0;
  return /^\s*(#\s|第.{1,6}[编章])/.test(line) ? 1 : 2;
}

/** The signs of a Markdown heading are for machines: they are not shown. */
function withoutSigns(parts: Part[]): Part[] {
  const [first, ...rest] = parts;
  return first ? [{ ...first, text: first.text.replace(/^\s*#{1,6}\s+/, '') }, ...rest] : parts;
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
    parts.push({ text: line.slice(from, to), mark: markAt(start + from, passage, words) });
  });
  return parts;
}

export function markedLines(text: string, passage: Range | null, words: Range[]): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (const line of text.split('\n')) {
    if (line.trim() !== '')
      lines.push({
        start,
        parts: withoutSigns(partsOf(line, start, passage, words)),
        heading: headingOf(line),
      });
    start += line.length + 1;
  }
  return lines;
}
