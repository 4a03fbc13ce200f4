/**
 * Chinese first, English by a switch. A text stands where it is used, in both languages:
 * tr('保存', 'Save'). The console hands in a reactive object, so that its pages follow the switch.
 */
export type Language = 'zh' | 'en';

const KEY = 'yicheng.language';

/** The browser may refuse storage (private windows, policies): then the choice lasts for the page. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    /* nothing to do: the choice is not kept */
  }
}

export function recall(key: string): string {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

let source: { language: Language } = { language: recall(KEY) === 'en' ? 'en' : 'zh' };

export function useLanguageSource(reactive: { language: Language }): void {
  reactive.language = source.language;
  source = reactive;
  document.documentElement.lang = reactive.language === 'en' ? 'en' : 'zh-CN';
}

export function language(): Language {
  return source.language;
}

export function setLanguage(to: Language): void {
  source.language = to;
  document.documentElement.lang = to === 'en' ? 'en' : 'zh-CN';
  remember(KEY, to);
}

export function tr(zh: string, en: string): string {
  return source.language === 'en' ? en : zh;
}
