/** What a job does, by its kind. */
import type { Job } from '../shared/api';
import { tr } from '../shared/language';
import { baseTitle, setTitle } from '../shared/titles';

export function kindWords(kind: string): string {
  const words: Record<string, string> = {
    'acquire.run': tr('采集数据', 'Acquire'),
    'acquire.try': tr('试采', 'Try a collector'),
    'annotate.import': tr('导入标注项目', 'Import an annotation project'),
    'annotate.prelabel': tr('预标注', 'Pre-label'),
    'annotate.prepare': tr('准备标注条目', 'Prepare annotation items'),
    'annotate.result': tr('生成标注成果', 'Make the annotated set'),
    'data.import': tr('导入数据集', 'Import a data set'),
    'data.run': tr('处理数据', 'Run a pipeline'),
    'eval.retrieval': tr('检索评测', 'Evaluate retrieval'),
    'knowledge.embed': tr('生成向量', 'Embed a knowledge base'),
    'knowledge.import': tr('导入文档', 'Import documents'),
    'models.import': tr('导入模型', 'Import a model'),
    'models.verify': tr('核对模型文件', 'Verify a model file'),
    'release.export': tr('导出发布', 'Export a release'),
    'release.gate': tr('发布审核检查', 'Check at the gate'),
    'release.make': tr('制作发布', 'Make a release'),
    'release.report': tr('出具质量报告', 'Make a quality report'),
    'synth.run': tr('合成数据', 'Synthesise data'),
  };
  return words[kind] ?? kind;
}

/** What a job is about: its title names a data set or a knowledge base for some kinds, with a version for others. */
export function titleOf(job: Job): string {
  const [name = '', number] = job.title.split(' ');
  switch (job.kind) {
    case 'data.import':
    case 'data.run':
    case 'synth.run':
      return setTitle(job.title);
    case 'eval.retrieval':
    case 'knowledge.embed':
      return baseTitle(job.title);
    case 'release.gate':
    case 'release.report':
      return number ? `${setTitle(name)} ${tr(`第 ${number} 版`, `version ${number}`)}` : setTitle(name);
    case 'acquire.try':
    case 'annotate.import':
    case 'annotate.prelabel':
    case 'annotate.prepare':
    case 'annotate.result':
      return kindWords(job.kind);
    default:
      return job.title || kindWords(job.kind);
  }
}

/** "2026-11-22T16:08:24.666+08:00 words" as "16:08:24 words". */
export function logLines(text: string): string {
  return text.replace(/^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\.\d+(?:Z|[+-]\d\d:\d\d) /gm, '$1  ');
}
