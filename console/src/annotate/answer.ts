/** Answers in the making: what is missing, what is the same, characters of a text. */
import { tr } from '../shared/language';
import type { Answer, Box, Field, LabelSet, Shown, Span } from './types';

export const choicesOf = (answer: Answer, field: Field) => (answer[field.name] as string[] | undefined) ?? [];
export const spansOf = (answer: Answer, field: Field) => (answer[field.name] as Span[] | undefined) ?? [];
export const boxesOf = (answer: Answer, field: Field) => (answer[field.name] as Box[] | undefined) ?? [];
export const textOf = (answer: Answer, field: Field) => (answer[field.name] as string | undefined) ?? '';
export const numberOf = (answer: Answer, field: Field) => answer[field.name] as number | undefined;

/** What one has to do before the answer is whole; '' when it is. */
export function missing(labels: LabelSet, answer: Answer): string {
  for (const field of labels.fields) {
    const value = answer[field.name];
    if (!field.required || field.kind === 'spans' || field.kind === 'boxes') continue;
    const empty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
    if (empty) return tr(`“${field.title || field.name}”还没有填`, `“${field.title || field.name}” is not answered`);
  }
  return '';
}

export function copyOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A shown value as text: a talk as lines, as the server counts its characters. */
export function shownText(shown: Shown, name: string): string {
  const value = shown[name];
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  return JSON.stringify(value);
}

export interface Turn {
  who: string;
  words: string;
}

export function turns(value: unknown): Turn[] {
  if (!Array.isArray(value)) return typeof value === 'string' ? [{ who: '', words: value }] : [];
  return value.map((one: Record<string, unknown>) => ({
    who: String(one['role'] ?? one['author'] ?? ''),
    words: String(one['content'] ?? one['text'] ?? ''),
  }));
}
