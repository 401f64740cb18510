import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { planRoutes } from '../../../src/config/compile.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { inertServices } from '../../../src/identity/inert-services.ts';

/** Every `*.yaml` here compiles to the plan in the `*.plan.txt` beside it. `UPDATE_GOLDEN=1` writes them anew. */
describe('configurations and the plans they compile to', () => {
  for (const file of globSync(join(import.meta.dirname, '*.yaml')).sort()) {
    it(basename(file), async () => {
      const loaded = await loadConfig(file, { env: {}, dev: false });
      assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.faults, null, 2));
      const upstream = { pools: [], next: () => assert.fail('nothing is sent'), retire() {} };
      const routes = planRoutes({
        config: loaded.config,
        generation: 1,
        customPolicies: [],
        identity: inertServices,
        upstream: () => upstream,
        begin() {},
        done() {},
      });
      const plan = routes.map(renderRoute).join('\n');
      const golden = file.replace(/yaml$/, 'plan.txt');
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, plan);
      assert.equal(plan, readFileSync(golden, 'utf8'));
    });
  }
});

function renderRoute({ api, name, published, forward, plan }: ReturnType<typeof planRoutes>[number]): string {
  const { listeners, hosts, methods, path, upstream } = published;
  const rewrite =
    forward?.rewrite === undefined
      ? ''
      : `, ${forward.rewrite.length} characters of the path become '${forward.rewrite.prefix}'`;
  const lines = [
    `${api} / ${name}`,
    `  on ${listeners.join(', ')}: ${methods?.join(',') ?? '*'} ${hosts.length === 0 ? 'any host' : hosts.join('|')} ${path}`,
    `  to ${upstream}${rewrite}${forward?.preserveHost ? ', Host kept' : ''}`,
    ...plan.map((step) => `  ${step.on.padEnd(7)} ${step.phase.padEnd(9)} ${step.policy}.${step.hook}`),
  ];
  return `${lines.join('\n')}\n`;
}
