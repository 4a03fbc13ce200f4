/** The figures behind a score, as the ranker names them; one that is not known here keeps its name. */
import { tr } from '../shared/language';

export function featureWords(name: string): string {
  const words: Record<string, string> = {
    first_step: tr('初选得分', 'First-stage score'),
    first: tr('初选得分与最高者之差', 'First-stage score less the best'),
    words: tr('词语相合（含效力层级）', 'Words, with the standing of the source'),
    plain: tr('词语相合', 'Words alone'),
    place: tr('初选名次', 'Place after the first stage'),
    meaning: tr('意思相近（学过问法）', 'Likeness of meaning, learned'),
    meaning_share: tr('意思相近与最高者之差', 'The same less the best'),
    latent: tr('意思相近', 'Likeness of meaning'),
    cited: tr('被其他文件引用', 'Cited by others'),
    level: tr('效力层级', 'Level of the source'),
    source_votes: tr('同一文件的其他候选', 'Others of the same source'),
    source_best: tr('同一文件的最好相合', 'Best of the same source'),
    source_count: tr('同一文件的候选数', 'Candidates of the same source'),
    section_votes: tr('同一章节的其他候选', 'Others of the same section'),
    section_best: tr('同一章节的最好相合', 'Best of the same section'),
    beside_best: tr('相邻条款的相合', 'The better neighbour'),
    beside_sum: tr('相邻条款合计', 'Neighbours together'),
    covered: tr('覆盖了问题的多少', 'Share of the question covered'),
    covered_text: tr('正文覆盖了多少', 'Covered by the text alone'),
    matched: tr('问题的词出现多少', 'Share of the terms in it'),
    rarest: tr('最少见词的分量', 'Weight of the rarest term'),
    run: tr('最长相同的字数', 'Longest run in both'),
    in_title: tr('标题里有多少', 'Share in the title'),
    in_path: tr('章节名里有多少', 'Share in the headings'),
    feedback: tr('与前十名的相近', 'Likeness to the best ten'),
    bytes: tr('文字长度（字节）', 'Bytes of the text'),
    order: tr('在文件中的次序', 'Place in its source'),
    order_share: tr('在文件中的位置', 'Place as a share'),
    of: tr('文件的段落数', 'Passages of its source'),
    looks: tr('条款类型', 'What it looks like'),
    question_chars: tr('问题的字数', 'Characters of the question'),
    question_weight: tr('问题的总分量', 'Weight of the question'),
    best_words: tr('最高词语得分', 'Best score of words'),
  };
  return words[name] ?? name;
}
