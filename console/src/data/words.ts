/** What the data platform's codes are called, and figures as people say them. */
import { language, tr } from '../shared/language';
import { count } from '../shared/words';
import type { Operator, Param } from './types';

export const KINDS = ['text', 'chat', 'preference', 'classification', 'spans', 'qa', 'caption', 'row'] as const;
export const GRADES = ['公开', '内部', '敏感', '核心'] as const;
export const GROUPS = ['clean', 'filter', 'dedup', 'privacy', 'select', 'shape'] as const;

export function kindWords(kind: string): string {
  const words: Record<string, string> = {
    text: tr('文本', 'Text'),
    chat: tr('对话', 'Conversation'),
    preference: tr('偏好对比', 'Preference pair'),
    classification: tr('分类', 'Classification'),
    spans: tr('片段标注', 'Spans'),
    qa: tr('问答', 'Question and answer'),
    caption: tr('图文', 'Picture and caption'),
    row: tr('表格行', 'Table row'),
  };
  return words[kind] ?? kind;
}

export function stateWords(state: string): string {
  const words: Record<string, string> = {
    ready: tr('可用', 'Ready'),
    empty: tr('尚无版本', 'No version yet'),
    withdrawn: tr('来源已撤回', 'Source withdrawn'),
    active: tr('在用', 'In use'),
  };
  return words[state] ?? state;
}

export function stateTone(state: string): 'good' | 'bad' | 'wait' | 'plain' {
  if (state === 'ready' || state === 'active') return 'good';
  return state === 'withdrawn' ? 'bad' : 'plain';
}

export function groupWords(group: string): string {
  const words: Record<string, string> = {
    clean: tr('清洗', 'Clean'),
    filter: tr('过滤', 'Filter'),
    dedup: tr('去重', 'Deduplicate'),
    select: tr('抽样与配比', 'Sample and mix'),
    shape: tr('转换', 'Shape'),
    privacy: tr('个人信息', 'Personal data'),
  };
  return words[group] ?? group;
}

export function effectWords(effect: string): string {
  const words: Record<string, string> = {
    text: tr('逐条改写文字', 'Changes texts'),
    measure: tr('逐条计量并取舍', 'Measures and keeps or drops'),
    record: tr('逐条处理', 'Works on a record'),
    whole: tr('通看全部数据后决定', 'Decides over the whole set'),
  };
  return words[effect] ?? effect;
}

export function whatWords(what: string): string {
  const words: Record<string, string> = {
    changed: tr('改动', 'Changed'),
    made: tr('新生成', 'Made'),
    dropped: tr('丢弃', 'Dropped'),
    failed: tr('隔离', 'Quarantined'),
  };
  return words[what] ?? what;
}

export function languageWords(code: string): string {
  const words: Record<string, string> = {
    zh: tr('汉语', 'Chinese'), en: tr('英语', 'English'), latin: tr('拉丁字母语言', 'Latin script'), ja: tr('日语', 'Japanese'),
    ko: tr('朝鲜语', 'Korean'), bo: tr('藏语', 'Tibetan'), ug: tr('维吾尔语', 'Uyghur'), mn: tr('蒙古语', 'Mongolian'),
    ii: tr('彝语', 'Yi'), ru: tr('俄语', 'Russian'), yue: tr('粤语', 'Cantonese'), wuu: tr('吴语', 'Wu'), '?': tr('不能判断', 'Not told'), '': tr('未填', 'Not given'),
  };
  return words[code] ?? code;
}

export function nodeWords(kind: string): string {
  const words: Record<string, string> = {
    source: tr('来源', 'Source'), version: tr('数据集版本', 'Version'), run: tr('处理任务', 'Run'),
    release: tr('发布', 'Release'), training: tr('训练', 'Training'), model: tr('模型', 'Model'), annotation: tr('标注', 'Annotation'),
    answers: tr('模型答复', 'Answers'), answer: tr('一次答复', 'An answer'),
  };
  return words[kind] ?? kind;
}

export function madeByWords(by: string | undefined): string {
  const words: Record<string, string> = {
    import: tr('导入', 'Import'), pipeline: tr('处理流程', 'Pipeline'), acquire: tr('采集', 'Acquired'), synth: tr('合成', 'Synthesis'), annotate: tr('标注', 'Annotation'),
  };
  return words[by ?? ''] ?? by ?? '';
}

export const given = (words: string): string => words || tr('未填', 'Not given');

/** Chinese where the reader reads Chinese, else English. */
export function summary(of: Operator | Param): string {
  return language() === 'en' ? of.summary : of.summary_zh || of.summary;
}

export function unitWords(unit: string): string {
  const words: Record<string, string> = {
    bytes: tr('字节', 'bytes'), characters: tr('字', 'characters'), lines: tr('行', 'lines'), records: tr('条', 'records'),
    times: tr('次', 'times'), sentences: tr('句', 'sentences'), words: tr('词', 'words'), pixels: tr('像素', 'pixels'), tokens: tr('词元', 'tokens'), percent: '%',
  };
  return words[unit] ?? unit;
}

/** 12,345,678 as "1234.6 万". */
export function about(n: number): string {
  if (language() === 'en') return n >= 1e6 ? `${(n / 1e6).toFixed(1)} M` : count(Math.round(n));
  if (n >= 1e8) return `${(n / 1e8).toFixed(2)} 亿`;
  return n >= 1e5 ? `${(n / 1e4).toFixed(1)} 万` : count(Math.round(n));
}

/** The reason of a dropped record, as far as we know its words, in the reader's language. */
export function whyWords(given: string): string {
  const why = given.replace(/\d(\.\d+)?e\+\d+/g, (figure) => String(Number(figure)));
  if (language() === 'en') return why;
  const known: [RegExp, string][] = [
    [/^(\S+) (\S+) is below (\S+)$/, '$1 为 $2，低于下限 $3'],
    [/^(\S+) (\S+) is above (\S+)$/, '$1 为 $2，高于上限 $3'],
    [/^one of (\S+) that are alike; (.*) stays$/, '$1 条相近，保留 $2'],
    [/^like (\S+), which stays$/, '与 $1 相近，保留后者'],
    [/^the same text came before$/, '与前面的记录完全相同'],
    [/^its group has enough$/, '该组数量已够'],
    [/^not in the mixture$/, '未进入配比'],
    [/^not in the sample$/, '未被抽中'],
    [/^of a source that is left out$/, '来源被排除'],
    [/^cut into parts$/, '已切成若干段，原记录由各段代替'],
    [/^(\S+) pairs were taken from it$/, '已从中提取 $1 组问答'],
    [/^both answers are the same$/, '两个回答相同'],
    [/^it does not begin with a question$/, '开头不是提问'],
    [/^it does not end with an answer$/, '结尾不是回答'],
    [/^it has no (.*)$/, '缺少 $1'],
    [/^(\S+) is (.*)$/, '$1 为 $2'],
  ];
  for (const [pattern, words] of known) if (pattern.test(why)) return why.replace(pattern, words);
  return why;
}

export const datasetPath = (name: string): string => `/datasets/${encodeURIComponent(name)}`;
export function recordPath(name: string, version: number, id: string): string {
  return `${datasetPath(name)}/records/${encodeURIComponent(id)}?version=${version}`;
}

/** What is wrong with the name of a data set, or ''. The server checks again. */
export function nameError(name: string): string {
  return !name || /^[\p{Script=Han}a-z0-9._-]{1,60}$/u.test(name) ? '' : tr('1 到 60 个汉字、小写字母、数字或 . _ -', '1 to 60 lower-case letters, digits, Chinese characters or . _ -');
}

/** Where a source came from: "upload:a/b.md" was sent by somebody, "file:..." lies on the server. */
export function uriWords(uri: string): string {
  if (uri.startsWith('upload:')) return tr(`上传的文件 ${uri.slice(7)}`, `uploaded ${uri.slice(7)}`);
  if (uri.startsWith('file:')) return tr(`服务器文件 ${uri.slice(5)}`, `on the server ${uri.slice(5)}`);
  return uri;
}
