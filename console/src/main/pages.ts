/** The console's pages. One line here routes a page, and puts it into the menu when it has a group. */
import type { Component } from 'vue';
import { tr } from '../shared/language';
import { may } from '../shared/session';

export const GROUPS = ['home', 'knowledge', 'data', 'share', 'models', 'meter', 'run', 'manage', 'help'] as const;
export type Group = (typeof GROUPS)[number];

export interface ConsolePage {
  path: string;
  title: () => string;
  /** One of these permissions is needed; none: anybody signed in. */
  needs: string[];
  group: Group | '';
  component: () => Promise<Component>;
  /** The page of the menu that it belongs to, where its address does not tell. */
  under?: string;
}

export const pages: ConsolePage[] = [
  { path: '/', title: () => tr('首页', 'Home'), needs: [], group: 'home', component: () => import('./Overview.vue') },
  { path: '/ask', title: () => tr('提问', 'Ask'), needs: ['knowledge.ask'], group: 'home', component: () => import('../knowledge/Ask.vue') },
  { path: '/knowledge_bases', title: () => tr('知识库', 'Knowledge bases'), needs: ['knowledge.read'], group: 'knowledge', component: () => import('../knowledge/Bases.vue') },
  { path: '/knowledge_bases/:name', title: () => tr('文档', 'Documents'), needs: ['knowledge.read'], group: '', component: () => import('../knowledge/Base.vue') },
  { path: '/documents/:id', title: () => tr('文档', 'Document'), needs: ['knowledge.read'], group: '', component: () => import('../knowledge/DocumentPage.vue'), under: '/knowledge_bases' },
  { path: '/search', title: () => tr('命中测试', 'Hit test'), needs: ['knowledge.read'], group: 'knowledge', component: () => import('../knowledge/HitTest.vue') },
  { path: '/reviews', title: () => tr('复核纠错', 'Corrections'), needs: ['knowledge.review'], group: 'knowledge', component: () => import('../knowledge/Reviews.vue') },
  { path: '/unanswered', title: () => tr('未能答复', 'Unanswered'), needs: ['knowledge.review'], group: 'knowledge', component: () => import('../knowledge/Unanswered.vue') },
  { path: '/expiring', title: () => tr('生效与到期', 'Coming changes'), needs: ['knowledge.read'], group: 'knowledge', component: () => import('../knowledge/ExpiringDocuments.vue') },
  { path: '/collectors', title: () => tr('数据采集', 'Acquire'), needs: ['data.read'], group: 'data', component: () => import('../acquire/Collectors.vue') },
  { path: '/collectors/:id', title: () => tr('数据采集', 'Collector'), needs: ['data.read'], group: '', component: () => import('../acquire/CollectorPage.vue') },
  { path: '/datasets', title: () => tr('数据集', 'Data sets'), needs: ['data.read'], group: 'data', component: () => import('../data/Datasets.vue') },
  { path: '/datasets/:name', title: () => tr('数据集', 'Data set'), needs: ['data.read'], group: '', component: () => import('../data/DatasetPage.vue') },
  { path: '/datasets/:name/records/:id', title: () => tr('记录', 'Record'), needs: ['data.read'], group: '', component: () => import('../data/RecordPage.vue') },
  { path: '/pipelines', title: () => tr('处理流程', 'Pipelines'), needs: ['data.read'], group: 'data', component: () => import('../data/Pipelines.vue') },
  { path: '/pipelines/:id', title: () => tr('处理流程', 'Pipeline'), needs: ['data.read'], group: '', component: () => import('../data/PipelineEditor.vue') },
  { path: '/data_runs/:id', title: () => tr('处理任务', 'Run'), needs: ['jobs.read'], group: '', component: () => import('../data/DataRun.vue'), under: '/pipelines' },
  { path: '/data_operators', title: () => tr('算子', 'Operators'), needs: ['data.read'], group: 'data', component: () => import('../data/Operators.vue') },
  { path: '/near_duplicates', title: () => tr('近似重复', 'Near duplicates'), needs: ['data.read'], group: 'data', component: () => import('../data/NearDuplicates.vue') },
  { path: '/synthesis', title: () => tr('数据合成', 'Synthesis'), needs: ['data.read'], group: 'data', component: () => import('../synth/Synthesis.vue') },
  { path: '/mixing', title: () => tr('数据配比', 'Mixing'), needs: ['data.read'], group: 'data', component: () => import('../data/Mix.vue') },
  { path: '/annotation', title: () => tr('数据标注', 'Annotation'), needs: ['annotate.work', 'annotate.review', 'annotate.manage'], group: 'data', component: () => import('../annotate/Projects.vue') },
  { path: '/annotation_new', title: () => tr('新建标注项目', 'New annotation project'), needs: ['annotate.manage'], group: '', component: () => import('../annotate/NewProject.vue'), under: '/annotation' },
  { path: '/annotation/:id', title: () => tr('标注项目', 'Annotation project'), needs: ['annotate.work', 'annotate.review', 'annotate.manage'], group: '', component: () => import('../annotate/ProjectPage.vue') },
  { path: '/annotation/:id/work', title: () => tr('标注', 'Annotate'), needs: ['annotate.work'], group: '', component: () => import('../annotate/Work.vue') },
  { path: '/annotation/:id/review', title: () => tr('审核', 'Review'), needs: ['annotate.review'], group: '', component: () => import('../annotate/Review.vue') },
  { path: '/annotation/:id/disputes', title: () => tr('分歧裁定', 'Disagreements'), needs: ['annotate.review'], group: '', component: () => import('../annotate/Review.vue') },
  { path: '/quality_reports', title: () => tr('质量报告', 'Quality reports'), needs: ['data.read'], group: 'share', component: () => import('../release/Reports.vue') },
  { path: '/quality_reports/:id', title: () => tr('质量报告', 'Quality report'), needs: ['data.read'], group: '', component: () => import('../release/ReportPage.vue') },
  { path: '/gates', title: () => tr('发布审核', 'Release gate'), needs: ['release.make', 'release.approve', 'annotate.work', 'annotate.review'], group: 'share', component: () => import('../release/Gates.vue') },
  { path: '/gates/:id', title: () => tr('发布审核', 'Gate'), needs: ['release.make', 'release.approve', 'annotate.work', 'annotate.review'], group: '', component: () => import('../release/GatePage.vue') },
  { path: '/gates/:id/judge', title: () => tr('人工判定', 'Judging'), needs: ['release.make', 'release.approve', 'annotate.work', 'annotate.review'], group: '', component: () => import('../release/Judge.vue') },
  { path: '/releases', title: () => tr('数据发布', 'Releases'), needs: ['release.make', 'release.approve', 'release.use'], group: 'share', component: () => import('../release/Releases.vue') },
  { path: '/releases/:id', title: () => tr('数据发布', 'Release'), needs: ['release.make', 'release.approve', 'release.use'], group: '', component: () => import('../release/ReleasePage.vue') },
  { path: '/catalogue', title: () => tr('数据目录', 'Catalogue'), needs: ['release.make', 'release.approve', 'release.use'], group: 'share', component: () => import('../release/Catalogue.vue') },
  { path: '/subscriptions', title: () => tr('订阅与胶囊', 'Subscriptions'), needs: ['release.make', 'release.approve', 'release.use'], group: 'share', component: () => import('../release/Subscriptions.vue') },
  { path: '/data_lineage', title: () => tr('数据血缘', 'Lineage'), needs: ['data.read'], group: 'share', component: () => import('../data/Lineage.vue') },
  { path: '/data_sources', title: () => tr('数据来源', 'Sources'), needs: ['data.read'], group: 'share', component: () => import('../data/Sources.vue') },
  { path: '/personal_data', title: () => tr('个人信息', 'Personal data'), needs: ['data.read', 'privacy.manage', 'privacy.reveal'], group: 'share', component: () => import('../privacy/PersonalData.vue') },
  { path: '/playground', title: () => tr('对比试用', 'Playground'), needs: ['model.use'], group: 'models', component: () => import('../gateway/Playground.vue') },
  { path: '/models', title: () => tr('模型', 'Models'), needs: ['model.read'], group: 'models', component: () => import('../models/Models.vue') },
  { path: '/models/:name', title: () => tr('模型', 'Model'), needs: ['model.read'], group: '', component: () => import('../models/ModelPage.vue') },
  { path: '/aliases', title: () => tr('模型别名', 'Aliases'), needs: ['model.read'], group: 'models', component: () => import('../models/Aliases.vue') },
  { path: '/endpoints', title: () => tr('外部服务', 'External services'), needs: ['model.read'], group: 'models', component: () => import('../models/Endpoints.vue') },
  { path: '/deployments', title: () => tr('模型部署', 'Deployments'), needs: ['model.read'], group: 'models', component: () => import('../models/Deployments.vue') },
  { path: '/model_calls', title: () => tr('调用记录', 'Model calls'), needs: ['gateway.requests'], group: 'models', component: () => import('../gateway/Calls.vue') },
  { path: '/usage', title: () => tr('用量', 'Usage'), needs: ['meter.read'], group: 'meter', component: () => import('../meter/Usage.vue') },
  { path: '/bills', title: () => tr('账单', 'Bills'), needs: ['meter.read'], group: 'meter', component: () => import('../meter/Bills.vue') },
  { path: '/limits', title: () => tr('限额', 'Limits'), needs: ['meter.read'], group: 'meter', component: () => import('../meter/Limits.vue') },
  { path: '/prices', title: () => tr('价格', 'Prices'), needs: ['meter.read'], group: 'meter', component: () => import('../meter/Prices.vue') },
  { path: '/evaluations', title: () => tr('评测', 'Evaluations'), needs: ['eval.run'], group: 'run', component: () => import('../eval/Evaluations.vue') },
  { path: '/evaluations/:id', title: () => tr('评测', 'Evaluation'), needs: ['eval.run'], group: '', component: () => import('../eval/EvaluationPage.vue') },
  { path: '/jobs', title: () => tr('任务', 'Jobs'), needs: ['jobs.read'], group: 'run', component: () => import('../compute/Jobs.vue') },
  { path: '/jobs/:id', title: () => tr('任务', 'Job'), needs: ['jobs.read'], group: '', component: () => import('../compute/JobPage.vue') },
  { path: '/users', title: () => tr('用户', 'Users'), needs: ['ops.user.read', 'ops.user.manage'], group: 'manage', component: () => import('../ops/Users.vue') },
  { path: '/departments', title: () => tr('部门', 'Departments'), needs: ['ops.user.read', 'ops.user.manage'], group: 'manage', component: () => import('../ops/Departments.vue') },
  { path: '/roles', title: () => tr('角色权限', 'Roles'), needs: ['ops.user.read', 'ops.user.manage', 'ops.role.grant'], group: 'manage', component: () => import('../ops/Roles.vue') },
  { path: '/tenants', title: () => tr('租户', 'Tenants'), needs: ['ops.tenant.manage'], group: 'manage', component: () => import('../ops/Tenants.vue') },
  { path: '/keys', title: () => tr('接口密钥', 'API keys'), needs: ['ops.key.manage'], group: 'manage', component: () => import('../ops/Keys.vue') },
  { path: '/audit', title: () => tr('审计记录', 'Audit'), needs: ['ops.audit.read'], group: 'manage', component: () => import('../ops/Audit.vue') },
  { path: '/api', title: () => tr('接口说明', 'API'), needs: ['ops.key.manage', 'knowledge.ask', 'system.manage'], group: 'help', component: () => import('../gateway/Api.vue') },
  { path: '/about', title: () => tr('关于', 'About'), needs: [], group: 'help', component: () => import('./About.vue') },
];

export function groupWords(group: Group): string {
  const words: Record<Group, string> = {
    home: '',
    knowledge: tr('知识', 'Knowledge'),
    data: tr('数据加工', 'Preparing data'),
    share: tr('数据发布与保护', 'Releasing and protecting data'),
    models: tr('模型', 'Models'),
    meter: tr('用量与费用', 'Usage and money'),
    run: tr('运行', 'Running'),
    manage: tr('管理', 'Administration'),
    help: tr('帮助', 'Help'),
  };
  return words[group];
}

export function allowed(page: ConsolePage): boolean {
  return may(...page.needs);
}
