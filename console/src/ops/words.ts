/** Permissions and actions as people call them. What is not known here shows its own name. */
import { tr } from '../shared/language';

export const PERMISSIONS = [
  'ops.tenant.manage', 'ops.every_tenant', 'ops.user.read', 'ops.user.manage', 'ops.role.grant', 'ops.key.manage',
  'ops.audit.read', 'ops.metrics', 'jobs.read', 'jobs.manage', 'knowledge.read', 'knowledge.ask', 'knowledge.write',
  'knowledge.review', 'eval.run', 'model.use', 'model.read', 'model.manage', 'meter.read', 'meter.limit', 'meter.price', 'meter.bill',
  'data.read', 'data.write', 'data.manage', 'gateway.requests', 'model.priority', 'system.manage',
  'privacy.manage', 'privacy.reveal', 'annotate.work', 'annotate.review', 'annotate.manage',
  'release.make', 'release.approve', 'release.use',
] as const;

/** What an API key may carry; the server decides. */
export const KEY_PERMISSIONS = [
  'knowledge.ask', 'knowledge.read', 'knowledge.write', 'knowledge.review', 'model.use', 'model.read', 'model.manage', 'eval.run', 'data.read', 'data.write', 'jobs.read', 'jobs.manage', 'ops.metrics', 'meter.read', 'release.use',
] as const;

export function permissionWords(name: string): string {
  const words: Record<string, string> = {
    'ops.tenant.manage': tr('管理租户', 'Make and change tenants'),
    'ops.every_tenant': tr('跨租户管理', 'Act in every tenant'),
    'ops.user.read': tr('查看用户', 'See users'),
    'ops.user.manage': tr('管理用户', 'Make, change and disable users'),
    'ops.role.grant': tr('授予角色', 'Grant roles'),
    'ops.key.manage': tr('管理接口密钥', 'Make and revoke API keys'),
    'ops.audit.read': tr('查看审计记录', 'Read the ledger'),
    'ops.metrics': tr('查看运行指标', 'Read metrics'),
    'jobs.read': tr('查看任务', 'See jobs'),
    'jobs.manage': tr('取消和重试任务', 'Cancel and retry jobs'),
    'knowledge.read': tr('查阅知识', 'Read documents and search'),
    'knowledge.ask': tr('提问', 'Ask questions'),
    'knowledge.write': tr('维护知识', 'Import and change documents'),
    'knowledge.review': tr('处理反馈', 'Work on feedback'),
    'eval.run': tr('运行评测', 'Run evaluations'),
    'model.use': tr('调用模型', 'Call models'),
    'model.read': tr('查看模型', 'See models and where they run'),
    'model.manage': tr('管理模型', 'Import and run models, change routes'),
    'meter.read': tr('查看用量、价格与账单', 'See usage, prices, limits and bills'),
    'meter.limit': tr('设置限额', 'Set limits'),
    'meter.price': tr('设置价格', 'Set prices'),
    'meter.bill': tr('月结账单', 'Close bills'),
    'data.read': tr('查看数据集', 'See data sets and lineage'),
    'data.write': tr('采集与处理数据', 'Import and run pipelines'),
    'data.manage': tr('管理数据集', 'Change cards, withdraw sources'),
    'gateway.requests': tr('查看调用记录', 'See the log of model calls'),
    'model.priority': tr('优先调用', 'Call before others'),
    'privacy.manage': tr('管理脱敏密钥', 'Manage the keys of masking and the vault'),
    'privacy.reveal': tr('还原个人信息', 'Reveal masked personal data'),
    'annotate.work': tr('标注数据', 'Annotate'),
    'annotate.review': tr('审核标注', 'Review annotations'),
    'annotate.manage': tr('管理标注项目', 'Make and assign annotation projects'),
    'release.make': tr('送审与发布数据集', 'Put data sets through the gate and release them'),
    'release.approve': tr('批准数据订阅', 'Approve subscriptions to releases'),
    'release.use': tr('订阅和使用数据集', 'Subscribe to releases and use them'),
    'system.manage': tr('系统维护', 'Maintain the system'),
  };
  return words[name] ?? name;
}
