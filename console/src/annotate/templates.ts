/** Label sets to begin with, by what the records are. */
import { tr } from '../shared/language';
import type { Field, LabelSet, Show } from './types';

export interface Template {
  key: string;
  title: string;
  about: string;
  /** Kinds of records that it fits. */
  fits: string[];
  make: (kind: string) => LabelSet;
}

const show = (name: string, kind: Show['kind'], path: string, title = ''): Show => ({ name, kind, path, title });
const field = (name: string, kind: Field['kind'], to: string, title: string, more: Partial<Field> = {}): Field => ({
  name, kind, to, title, required: true, compare: kind !== 'text', ...more,
});

function shows(kind: string): Show[] {
  if (kind === 'chat') return [show('chat', 'chat', 'messages')];
  if (kind === 'preference') return [show('prompt', 'text', 'prompt', tr('问题', 'Prompt')), show('a', 'text', 'chosen', 'A'), show('b', 'text', 'rejected', 'B')];
  if (kind === 'qa') return [show('question', 'text', 'question', tr('问题', 'Question')), show('answer', 'text', 'answer', tr('回答', 'Answer'))];
  if (kind === 'caption') return [show('image', 'image', 'image', tr('图片', 'Picture')), show('caption', 'text', 'caption', tr('说明', 'Caption'))];
  if (kind === 'row') return [show('row', 'text', 'row')];
  return [show('text', 'text', 'text')];
}

const first = (kind: string) => shows(kind)[0]?.name ?? 'text';
const TEXTS = ['text', 'classification', 'spans'];

export function templates(): Template[] {
  return [
    {
      key: 'classification',
      title: tr('分类', 'Classification'),
      about: tr('给每条内容选一个或几个标签，可以分级。', 'Choose one or several labels, in levels if you like.'),
      fits: [...TEXTS, 'chat', 'qa', 'caption', 'row'],
      make: (kind) => ({ show: shows(kind), fields: [field('label', 'choices', first(kind), tr('属于哪一类', 'Which kind'), { labels: [{ value: '投诉' }, { value: '咨询' }, { value: '建议' }] })] }),
    },
    {
      key: 'spans',
      title: tr('划出片段', 'Spans'),
      about: tr('在文字中划出人名、地点、机构等。', 'Mark names, places, offices in the text.'),
      fits: TEXTS,
      make: (kind) => ({ show: shows(kind), fields: [field('entities', 'spans', 'text', tr('划出', 'Mark'), { labels: [{ value: '地点' }, { value: '机构' }, { value: '时间' }] })] }),
    },
    {
      key: 'qa',
      title: tr('问答', 'Question and answer'),
      about: tr('根据内容写一个问题和它的回答。', 'Write a question and its answer from the text.'),
      fits: TEXTS,
      make: (kind) => ({ show: shows(kind), fields: [field('question', 'text', 'text', tr('问题', 'Question')), field('answer', 'text', 'text', tr('回答', 'Answer'))] }),
    },
    {
      key: 'preference',
      title: tr('二选一', 'Preference'),
      about: tr('比较两份回答，选出更好的。', 'Compare two answers and choose.'),
      fits: ['preference'],
      make: (kind) => ({ show: shows(kind), fields: [field('better', 'preference', '', tr('哪个更好', 'Which is better'))] }),
    },
    {
      key: 'rating',
      title: tr('打分和点评', 'Rating and remarks'),
      about: tr('打一到五分，再写一句理由。', 'One to five, with a reason.'),
      fits: [...TEXTS, 'chat', 'qa', 'caption', 'row'],
      make: (kind) => ({ show: shows(kind), fields: [field('score', 'rating', first(kind), tr('打分', 'Score'), { max: 5 }), field('reason', 'text', first(kind), tr('理由', 'Reason'), { required: false })] }),
    },
    {
      key: 'boxes',
      title: tr('图上画框', 'Boxes on pictures'),
      about: tr('在图片上框出目标。', 'Draw boxes round things in pictures.'),
      fits: ['caption'],
      make: () => ({ show: [show('image', 'image', 'image')], fields: [field('boxes', 'boxes', 'image', tr('画框', 'Draw'), { labels: [{ value: '占道经营' }, { value: '垃圾' }, { value: '井盖' }] })] }),
    },
  ];
}
