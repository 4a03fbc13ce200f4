import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

declare const process: { env: Record<string, string | undefined> };

/* In development, the API is asked of a centre that runs at YICHENG_URL. */
const centre = process.env['YICHENG_URL'] ?? 'http://127.0.0.1:8000';

/* Three pages; vite splits off what they share. Names carry a hash, so that browsers may keep the
 * files for ever. */
export default defineConfig({
  plugins: [vue()],
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
