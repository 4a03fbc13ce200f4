/* tr() is at hand in every template; see main/console.ts. */
import type { tr } from './language';

declare module 'vue' {
  interface ComponentCustomProperties {
    tr: typeof tr;
  }
}
export {};
