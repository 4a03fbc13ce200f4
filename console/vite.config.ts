import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';

declare const process: { env: Record<string, string | undefined> };

/* In development, the API is asked of a centre that runs at YICHENG_URL. */
const centre = process.env['YICHENG_URL'] ?? 'http://127.0.0.1:8000';

/* Development: /console/... and /doc/... are one page each, and the pages' rule against inline styles, which
 * vite puts in there, is lifted. */
const development: Plugin = {
  name: 'development',
  apply: 'serve',
  transformIndexHtml: (html) => html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ''),
  configureServer: (server) => {
    server.middlewares.use((request: { url?: string }, _response, next) => {
      const page = /^\/(console|doc)(\/|$)/.exec(request.url ?? '');
      if (page && !/\.\w+(\?|$)/.test(request.url ?? '')) request.url = `/${page[1]}.html`;
      next();
    });
  },
};

/* Three pages; vite splits off what they share. Names carry a hash, so that browsers may keep the
 * files for ever. */
export default defineConfig({
  plugins: [vue(), development],
  build: {
    target: 'es2020',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    rollupOptions: {
      input: { index: 'index.html', console: 'console.html', doc: 'doc.html' },
    },
  },
  server: { proxy: { '/api': centre, '/v1': centre } },
});
