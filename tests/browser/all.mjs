/* Every walk, one after the other, over one centre: `node --test-reporter=tap all.mjs`. */
import { after, test } from 'node:test';
import { administrators } from './administrators.mjs';
import { annotate } from './annotate.mjs';
import { browserMissing, openBrowser } from './browser.mjs';
import { contract } from './contract.mjs';
import { DEMO_PASSWORD, missing, startCenter } from './center.mjs';
import { data } from './data.mjs';
import { metering } from './metering.mjs';
import { models } from './models.mjs';
import { pages } from './pages.mjs';
import { release } from './release.mjs';
import { residents } from './residents.mjs';
import { stewards } from './stewards.mjs';

const why = missing() || browserMissing();
if (why) {
  test('the pages in a real browser', { skip: why }, () => undefined);
} else {
  const center = await startCenter();
  const world = { ...center, demo: DEMO_PASSWORD, changed: new Set(), browser: await openBrowser() };
  after(async () => {
    await world.browser.close();
    await center.stop();
  });
  contract(world);
  data(world);
  metering(world);
  models(world);
  release(world);
  residents(world);
  administrators(world);
  stewards(world);
  annotate(world);
  pages(world);
}
