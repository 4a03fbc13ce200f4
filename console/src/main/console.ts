/** The staff's console. */
import { createApp, reactive } from 'vue';
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router';
import '../shared/tokens.css';
import { applyComfort } from '../shared/comfort';
import { useElements } from '../shared/elements';
import { whenSignedOut } from '../shared/http';
import { tr, useLanguageSource, type Language } from '../shared/language';
import { forget, resume, session } from '../shared/session';
import ConsoleFrame from './ConsoleFrame.vue';
import './console.css';
import '../data/data.css';
import '../release/release.css';
import { allowed, pages } from './pages';

useLanguageSource(reactive<{ language: Language }>({ language: 'zh' }));
applyComfort();

const routes: RouteRecordRaw[] = [
  { path: '/sign-in', name: 'sign-in', component: () => import('../ops/SignIn.vue') },
  { path: '/password', name: 'password', component: () => import('../ops/Password.vue') },
  ...pages.map((page) => ({ path: page.path, component: page.component, meta: { page } })),
  { path: '/forbidden', name: 'forbidden', component: () => import('./Forbidden.vue') },
  { path: '/:rest(.*)*', name: 'missing', component: () => import('./Missing.vue') },
];

const router = createRouter({
  history: createWebHistory('/console/'),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

router.beforeEach(async (to) => {
  if (!session.asked) await resume();
  if (to.name === 'sign-in') return true;
  if (!session.user) return { name: 'sign-in', query: to.fullPath === '/' ? {} : { to: to.fullPath } };
  if (session.user.must_change_password && to.name !== 'password') return { name: 'password' };
  const page = pages.find((one) => one === to.meta['page']);
  return !page || allowed(page) ? true : { name: 'forbidden' };
});
router.afterEach((to) => {
  const page = pages.find((one) => one === to.meta['page']);
  document.title = `${page ? `${page.title()} · ` : ''}${tr('一城工作台', 'Yicheng console')}`;
});

whenSignedOut(() => {
  forget();
  const to = router.currentRoute.value;
  if (to.name !== 'sign-in') void router.push({ name: 'sign-in', query: { to: to.fullPath } });
});

const app = createApp(ConsoleFrame);
app.config.globalProperties.tr = tr;
useElements(app);
app.use(router);
app.mount('#app');
