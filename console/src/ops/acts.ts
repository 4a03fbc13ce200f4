/** What stands in the ledger as a code, in words. */
import { tr } from '../shared/language';

const things: Record<string, () => string> = {
  'acquire.collector': () => tr('采集', 'a collector'),
  'annotate.item': () => tr('标注条目', 'an annotation item'),
  'annotate.member': () => tr('标注人员', 'a member of an annotation project'),
  'annotate.project': () => tr('标注项目', 'an annotation project'),
  'annotate.work': () => tr('标注工作', 'annotation work'),
  'compute.job': () => tr('任务', 'a job'),
  'data.pipeline': () => tr('处理流程', 'a pipeline'),
  'data.set': () => tr('数据集', 'a data set'),
  'data.source': () => tr('数据来源', 'a data source'),
  'data.version': () => tr('数据集版本', 'a version of a data set'),
  'eval.run': () => tr('评测', 'an evaluation'),
  'knowledge.answer': () => tr('答复', 'an answer'),
  'knowledge.base': () => tr('知识库', 'a knowledge base'),
  'knowledge.document': () => tr('文档', 'a document'),
  'knowledge.feedback': () => tr('反馈', 'feedback'),
  'knowledge.review': () => tr('反馈复核', 'a review'),
  'knowledge.version': () => tr('文档版本', 'a version of a document'),
  'meter.batch': () => tr('计量批次', 'a batch of metered calls'),
  'meter.bill': () => tr('账单', 'a bill'),
  'meter.limit': () => tr('限额', 'a limit'),
  'meter.lines': () => tr('计量明细', 'metered lines'),
  'meter.plan': () => tr('价格', 'a price'),
  'models.alias': () => tr('模型别名', 'an alias'),
  'models.deployment': () => tr('模型部署', 'a deployment'),
  'models.edge': () => tr('别处的引擎', 'an engine elsewhere'),
  'models.endpoint': () => tr('外部服务', 'an external service'),
  'models.model': () => tr('模型', 'a model'),
  'models.version': () => tr('模型版本', 'a version of a model'),
  'ops.centre': () => tr('本中心', 'the centre'),
  'ops.city': () => tr('城市资料', 'the city'),
  'ops.department': () => tr('部门', 'a department'),
  'ops.key': () => tr('接口密钥', 'an API key'),
  'ops.password': () => tr('口令', 'a password'),
  'ops.tenant': () => tr('租户', 'a tenant'),
  'ops.user': () => tr('用户', 'a user'),
  'privacy.key': () => tr('脱敏密钥', 'a masking key'),
  'release.capsule': () => tr('加密胶囊', 'a capsule'),
  'release.gate': () => tr('发布审核', 'a gate'),
  'release.keys': () => tr('签名密钥', 'the signing keys'),
  'release.offer': () => tr('目录条目', 'an offer of the catalogue'),
  'release.release': () => tr('数据发布', 'a release'),
  'release.report': () => tr('质量报告', 'a quality report'),
  'release.sample': () => tr('抽检样本', 'a sample'),
  'release.subscription': () => tr('订阅', 'a subscription'),
};

const verbs: Record<string, () => [string, string]> = {
  adjudicate: () => ['裁定', 'Decided on'],
  approve: () => ['批准', 'Approved'],
  begin: () => ['开始制作', 'Began'],
  cancel: () => ['取消', 'Cancelled'],
  change: () => ['修改', 'Changed'],
  close: () => ['月结', 'Closed'],
  create: () => ['新建', 'Made'],
  decide: () => ['作出结论', 'Decided'],
  delete: () => ['删除', 'Deleted'],
  destroy: () => ['销毁', 'Destroyed'],
  drain: () => ['收尾停止', 'Drained'],
  embed: () => ['生成向量', 'Embedded'],
  end: () => ['结束', 'Ended'],
  expire: () => ['清理到期', 'Expired'],
  export: () => ['导出', 'Exported'],
  finish: () => ['完成', 'Finished'],
  give: () => ['给出', 'Gave'],
  gold: () => ['设为金标', 'Set as gold'],
  handover: () => ['移交', 'Handed over'],
  import: () => ['导入', 'Imported'],
  leave: () => ['离开', 'Left'],
  load: () => ['装入', 'Loaded'],
  make: () => ['新建', 'Made'],
  open: () => ['打开', 'Opened'],
  papers: () => ['补充凭据', 'Added papers to'],
  pause: () => ['暂停', 'Paused'],
  prelabel: () => ['预标注', 'Pre-labelled'],
  put: () => ['设置', 'Set'],
  refuse: () => ['拒绝', 'Refused'],
  register: () => ['登记', 'Registered'],
  remove: () => ['移除', 'Removed'],
  request: () => ['申请', 'Requested'],
  reset: () => ['重置', 'Reset'],
  restart: () => ['重启', 'Restarted'],
  result: () => ['生成成果', 'Made the result of'],
  retire: () => ['停用', 'Retired'],
  retry: () => ['重做', 'Retried'],
  revoke: () => ['吊销', 'Revoked'],
  rollback: () => ['退回上一步', 'Rolled back'],
  rotate: () => ['更换', 'Rotated'],
  sample: () => ['抽样', 'Sampled'],
  settle: () => ['结算', 'Settled'],
  start: () => ['启动', 'Started'],
  stop: () => ['停止', 'Stopped'],
  submit: () => ['提交', 'Submitted'],
  unlock: () => ['解锁', 'Unlocked'],
  verdict: () => ['审核', 'Reviewed'],
  verify: () => ['核对', 'Verified'],
  withdraw: () => ['撤回', 'Withdrew'],
  judge: () => ['判定', 'Judged'],
};

const whole: Record<string, () => string> = {
  'ops.session.create': () => tr('登录', 'Signed in'),
  'ops.session.delete': () => tr('退出登录', 'Signed out'),
  'ops.user.grant': () => tr('授予角色', 'Granted roles'),
  'ops.user.reset': () => tr('重置用户口令', 'Reset a password'),
  'ops.role.grant': () => tr('授予角色', 'Granted roles'),
  'privacy.token.reveal': () => tr('还原个人信息', 'Revealed personal data'),
};

/** '' when the code is not known here. */
export function actWords(action: string): string {
  const known = whole[action];
  if (known) return known();
  const dot = action.lastIndexOf('.');
  const thing = things[action.slice(0, dot)] ?? (/^acquire\.[a-z]+$/.test(action) ? things['acquire.collector'] : undefined);
  const verb = verbs[action.slice(dot + 1)];
  if (!thing || !verb) return '';
  const [zh, en] = verb();
  return tr(`${zh}${thing()}`, `${en} ${thing()}`);
}

/** What acts are about, for choosing: the form that the ledger is asked by, and the words. */
export function actThings(): { form: string; words: string }[] {
  return Object.entries(things)
    .map(([name, words]) => ({ form: `${name}.*`, words: words() }))
    .sort((a, b) => a.words.localeCompare(b.words, 'zh'));
}

/** Who did it: a person, the centre itself, or somebody without an account. */
export function actorWords(actor: string, name: string | undefined): string {
  if (actor === 'system') return tr('系统', 'The system');
  return actor === 'public' ? tr('市民', 'A resident') : name || actor;
}

/** A result that is no failure of the one who acted: nothing was found to answer with. */
export function resultWords(action: string, result: string): { good: boolean; words: string } {
  if (result === 'ok') return { good: true, words: tr('成功', 'ok') };
  if (action === 'knowledge.answer.give' && result === 'refused') return { good: true, words: tr('未作答', 'refused') };
  return { good: false, words: tr('未成功', 'failed') };
}
