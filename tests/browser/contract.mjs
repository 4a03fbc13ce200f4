/* The console and the server agree: every address that the sources name is in /api/openapi.json. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const sources = fileURLToPath(new URL('../../console/src', import.meta.url));

/** '/api/jobs/${id}/log?x=1' as '/api/jobs/{}/log'. */
export function addressesIn(text) {
  return [...text.replaceAll('${query(', '?').matchAll(/['"`](\/(?:api|v1)\/(?:[^'"`$?{]|\$\{[^}]*\})*)/g)].map(([, address]) =>
    address.replace(/\$\{[^}]*\}/g, '{}').replace(/\/$/, ''),
  );
}

export function contract(world) {
  test('every address that the pages call is in the API description', async () => {
    const response = await fetch(`${world.url}/api/openapi.json`);
    assert.equal(response.status, 200);
    const known = new Set(Object.keys((await response.json()).paths).map((path) => path.replace(/\{[^}]*\}/g, '{}')));
    const called = new Set();
    for (const name of readdirSync(sources, { recursive: true }))
      if (/\.(ts|vue)$/.test(name))
        for (const address of addressesIn(readFileSync(join(sources, name), 'utf8'))) called.add(address);
    called.delete('/api/openapi.json');
    assert.ok(called.size > 20, `found only ${called.size} addresses`);
    assert.deepEqual([...called].filter((one) => !known.has(one)), []);
  });
}
