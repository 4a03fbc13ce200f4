/** What the codes of this room are called, and waiting for a job. */
import type { Job } from '../shared/api';
import { ApiError, get } from '../shared/http';
import { tr } from '../shared/language';
import type { Risk } from './types';

export type Tone = 'good' | 'bad' | 'wait' | 'plain';

const STATES: Record<string, { zh: string; en: string; tone: Tone }> = {
  queued: { zh: '排队中', en: 'Queued', tone: 'wait' },
  running: { zh: '检查中', en: 'Checking', tone: 'wait' },
  judging: { zh: '待人工判定', en: 'To be judged', tone: 'wait' },
  passed: { zh: '已通过', en: 'Passed', tone: 'good' },
  failed: { zh: '未通过', en: 'Failed', tone: 'bad' },
  cancelled: { zh: '已放弃', en: 'Given up', tone: 'plain' },
  withdrawn: { zh: '来源已撤回', en: 'Source withdrawn', tone: 'bad' },
  ready: { zh: '可用', en: 'Ready', tone: 'good' },
  requested: { zh: '待审批', en: 'Requested', tone: 'wait' },
  approved: { zh: '已批准', en: 'Approved', tone: 'good' },
  refused: { zh: '未批准', en: 'Refused', tone: 'bad' },
  revoked: { zh: '已收回', en: 'Revoked', tone: 'bad' },
  ended: { zh: '已结束', en: 'Ended', tone: 'plain' },
  expired: { zh: '已到期', en: 'Expired', tone: 'plain' },
  used_up: { zh: '次数用完', en: 'Used up', tone: 'plain' },
  offered: { zh: '已上架', en: 'Offered', tone: 'good' },
  taken_back: { zh: '已下架', en: 'Taken back', tone: 'plain' },
};

export function stateWords(state: string): string {
  const known = STATES[state];
  return known ? tr(known.zh, known.en) : state;
}

export function stateTone(state: string): Tone {
  return STATES[state]?.tone ?? 'plain';
}

export const PURPOSES = ['training', 'evaluation', 'knowledge', 'sharing'] as const;

export function purposeWords(purpose: string): string {
  const words: Record<string, string> = {
    training: tr('训练模型', 'Training a model'),
    evaluation: tr('评测', 'Evaluation'),
    knowledge: tr('建知识库', 'A knowledge base'),
    sharing: tr('共享给其他单位', 'Sharing with others'),
  };
  return words[purpose] ?? purpose;
}

export const FORMS = ['directory', 'jsonl', 'text', 'openai', 'sharegpt', 'alpaca', 'dpo'] as const;

export function formWords(form: string): string {
  const words: Record<string, string> = {
    directory: tr('完整发布包（含签名，可核验）', 'The whole release (signed, can be verified)'),
    jsonl: tr('JSON 行', 'JSON lines'),
    text: tr('纯文本', 'Plain text'),
    openai: tr('OpenAI 对话', 'OpenAI messages'),
    sharegpt: tr('ShareGPT 对话', 'ShareGPT'),
    alpaca: tr('Alpaca 指令', 'Alpaca'),
    dpo: tr('DPO 偏好对', 'DPO pairs'),
    capsule: tr('加密数据胶囊', 'Encrypted capsule'),
    export: tr('导出', 'Export'),
    open: tr('打开胶囊', 'Capsule opened'),
  };
  return words[form] ?? form;
}

export const SUITES = ['sm2-sm4-sm3', 'x25519-aes256gcm'] as const;

export function suiteWords(suite: string): string {
  return suite === 'sm2-sm4-sm3' ? tr('国密（SM2 / SM4 / SM3）', 'SM2, SM4, SM3') : tr('国际（X25519 / AES-256）', 'X25519, AES-256');
}

export function verdictWords(verdict: string, risks: Risk[]): string {
  if (verdict === '') return tr('未判', 'Not judged');
  if (verdict === 'ok') return tr('合格', 'Acceptable');
  const risk = risks.find((one) => one.code === verdict);
  return risk ? `${tr('不合格', 'Not acceptable')}：${tr(risk.title, risk.title_en)}` : verdict;
}

export function foundWords(found: string): string {
  const [what, ...rest] = found.split(':');
  const detail = rest.join(':');
  if (what === 'word') return detail ? tr(`命中关键词“${detail}”`, `Word “${detail}”`) : tr('命中关键词的变体写法', 'A word in another dress');
  if (what === 'classifier') return tr(`分类模型判为有害（${detail}）`, `Classifier: ${detail}`);
  return '';
}

export function uses(used: number, most: number): string {
  return most ? `${used} / ${most}` : tr(`${used}（不限次数）`, `${used} (no limit)`);
}

const ASK_MS = 700;

/** The job when it has ended well; else what it said. */
export async function jobDone(id: string): Promise<Job> {
  for (;;) {
    const job = await get<Job>(`/api/jobs/${encodeURIComponent(id)}`);
    if (job.state === 'done') return job;
    if (job.state === 'failed' || job.state === 'cancelled') {
      const detail = job.why || tr('任务已取消', 'The job was cancelled');
      throw new ApiError({ status: 0, code: 'job', title: tr('任务没有成功', 'The job did not succeed'), detail, hint: '', trace_id: '' });
    }
    await new Promise((then) => setTimeout(then, ASK_MS));
  }
}

/** Has the browser save what an address gives. */
export function download(address: string): void {
  const link = document.createElement('a');
  link.href = address;
  link.download = '';
  link.click();
}
