import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inertServices } from '../identity/inert-services.ts';
import { testExchange } from '../policies/test-exchange.ts';
import { planRoutes } from './compile.ts';
import { loadConfig } from './load.ts';

test('logins at one path on listeners apart are told apart by the route that was asked', async () => {
  const text = `
listeners:
  - { name: public, address: 127.0.0.1:8443 }
  - { name: internal, exposure: internal, address: 127.0.0.1:9443 }
logins:
  ops: { issuer: https://staff.example, clientId: ops, clientSecret: '\${env:SECRET}' }
  web: { issuer: https://people.example, clientId: web, clientSecret: '\${env:SECRET}' }
apis:
  - { name: console, exposure: internal, path: /console, upstream: 'http://127.0.0.1:1', authenticate: [{ login: { use: ops } }] }
  - { name: shop, hosts: [app.example.com], path: /, upstream: 'http://127.0.0.1:1', authenticate: [{ login: { use: web } }] }
`;
  const env = { SECRET: 'a-secret-of-a-test' };
  const loaded = await loadConfig('/s.yaml', { env, dev: false, readFile: async () => Buffer.from(text) });
  assert.ok(loaded.ok, JSON.stringify(loaded));
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
  const told = routes.flatMap(({ published, requestHooks, requestHookPolicies }) => {
    const exchange = testExchange();
    const hook = requestHooks[requestHookPolicies.indexOf('nameLogin')];
    if (hook === undefined) return [];
    hook(exchange);
    return [[published.listeners, exchange.upstreamHeaders.set.all('x-sallyport-login')]];
  });
  assert.deepEqual(told, [
    [['internal'], ['ops']],
    [['public'], ['web']],
  ]);
});
