/** What differs between two texts, by characters: common ends first, a longest common part between. */
export interface Segment {
  kind: 'same' | 'gone' | 'new';
  text: string;
}

const MOST = 1200; /* characters of the middle that are compared one by one */
const KEEP = 60; /* of a long common part that stay at either end */

function middle(a: string[], b: string[]): Segment[] {
  if (a.length > MOST || b.length > MOST)
    return [{ kind: 'gone', text: a.join('') }, { kind: 'new', text: b.join('') }];
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i * width + j] = a[i] === b[j]
        ? (table[(i + 1) * width + j + 1] ?? 0) + 1
        : Math.max(table[(i + 1) * width + j] ?? 0, table[i * width + j + 1] ?? 0);
  const out: Segment[] = [];
  const add = (kind: Segment['kind'], text: string) => {
    const last = out[out.length - 1];
    if (last?.kind === kind) last.text += text;
    else out.push({ kind, text });
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add('same', a[i] ?? '');
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && (table[(i + 1) * width + j] ?? 0) >= (table[i * width + j + 1] ?? 0))) {
      add('gone', a[i++] ?? '');
    } else {
      add('new', b[j++] ?? '');
    }
  }
  return out;
}

export function segments(before: string, after: string): Segment[] {
  const a = Array.from(before);
  const b = Array.from(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return [
    { kind: 'same' as const, text: a.slice(0, head).join('') },
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    { kind: 'same' as const, text: a.slice(a.length - tail).join('') },
  ].filter((one) => one.text !== '');
}

/** Long common parts folded to their ends. */
export function folded(parts: Segment[]): Segment[] {
  return parts.map((one, i) => {
    if (one.kind !== 'same') return one;
    const letters = Array.from(one.text);
    if (letters.length <= 3 * KEEP) return one;
    const head = i === 0 ? '' : letters.slice(0, KEEP).join('');
    const tail = i === parts.length - 1 ? '' : letters.slice(-KEEP).join('');
    return { kind: 'same', text: `${head} …… ${tail}` };
  });
}
