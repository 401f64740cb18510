import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import type { Exchange } from '../../src/exchange.ts';
import { HeaderList } from '../../src/lib/header-list.ts';
import { publicRoute } from '../../src/policies/test-exchange.ts';

describe('the example of a custom policy', () => {
  it('loads, and is off where its route says so', async () => {
    const { config } = await load();
    assert.deepEqual(config.apis[0]?.policies['betaOnly'], { header: 'x-beta', name: 'autumn' });
    assert.equal(config.apis[0]?.routes[0]?.policies['betaOnly'], false);
  });

  for (const { says, fields, admitted } of [
    { says: 'nothing', fields: [], admitted: false },
    { says: 'another beta', fields: ['X-Beta', 'spring'], admitted: false },
    { says: 'two betas', fields: ['X-Beta', 'autumn', 'X-Beta', 'autumn'], admitted: false },
    { says: 'this beta', fields: ['X-Beta', 'autumn'], admitted: true },
  ]) {
    it(`${admitted ? 'admits' : 'refuses'} who says ${says}`, async () => {
      const { customPolicies } = await load();
      const policy = customPolicies.find(({ name }) => name === 'betaOnly');
      assert.ok(policy !== undefined);
      const hook = policy.compile(policy.config.parse({ name: 'autumn' }), publicRoute)?.request;
      // The policy looks at the header fields only.
      const outcome = await hook?.({ headers: new HeaderList(fields) } as Exchange);
      assert.equal(outcome === undefined, admitted);
    });
  }
});

async function load() {
  const loaded = await loadConfig(join(import.meta.dirname, 'sallyport.config.ts'), { env: {}, dev: false });
  assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.faults));
  return loaded;
}
