import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inertServices } from '../identity/inert-services.ts';
import { makeApiKey } from '../lib/api-key.ts';
import { planRoutes } from './compile.ts';
import { configWithoutSecrets } from './config-without-secrets.ts';
import { loadConfig } from './load.ts';

const secrets = {
  CLIENT_SECRET: 'client-secret-client-secret-client-secret',
  LOGIN_SECRET: 'login-secret-login-secret-login-secret',
  UPSTREAM_SECRET: 'upstream-secret-upstream-secret-upstream',
  INITIAL_TOKEN: 'initial-token-initial-token-initial-token',
  INTROSPECTION_SECRET: 'introspection-secret-introspection-secret',
  DATABASE_URL: 'postgres://gateway:database-password@localhost/sallyport',
  VALKEY_URL: 'redis://:valkey-password@localhost',
  SEALING_KEY: Buffer.alloc(32, 7).toString('base64'),
  API_KEY: makeApiKey('live').key,
};

const file = `
listeners: [{ name: public, address: 127.0.0.1:8443 }, { name: internal, exposure: internal, address: 127.0.0.1:9443, tls: none }]
stores:
  records: { postgres: { url: '\${env:DATABASE_URL}' } }
  counters: { valkey: { url: '\${env:VALKEY_URL}' } }
  encryptionKeys: ['\${env:SEALING_KEY}']
authorizationServer:
  issuer: https://localhost:8443/oauth
  registration: { initialAccessToken: '\${env:INITIAL_TOKEN}' }
  accounts: { upstream: { issuer: https://id.example.com, clientId: gateway, clientSecret: '\${env:UPSTREAM_SECRET}' } }
  clients: [{ id: program, secret: '\${env:CLIENT_SECRET}', grants: [client_credentials] }]
issuers:
  - { issuer: https://other.example.com, introspection: { clientId: gateway, clientSecret: '\${env:INTROSPECTION_SECRET}' } }
logins: { web: { clientId: app, clientSecret: '\${env:LOGIN_SECRET}' } }
consumers: [{ name: acme, keys: [{ name: main, key: '\${env:API_KEY}' }] }]
apis:
  - name: widgets
    upstream: http://127.0.0.1:4000
    authenticate: [{ oauth: { audience: 'https://localhost:8443' } }, { apiKey: {} }, { login: { use: web } }]
    authorize: { scopes: [read] }
`;

test('workers get no secret of the control plane, and publish the same', async () => {
  const readFile = async () => Buffer.from(file);
  const loaded = await loadConfig('/etc/sallyport.yaml', { env: secrets, dev: false, readFile });
  assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.faults));
  const whole = JSON.stringify(loaded.config);
  const given = JSON.stringify(configWithoutSecrets(loaded.config));
  for (const [name, secret] of Object.entries(secrets)) {
    assert.ok(whole.includes(secret), `${name} is in the configuration`);
    assert.ok(!given.includes(secret), `${name} is given to the workers`);
  }
  assert.deepEqual(plan(configWithoutSecrets(loaded.config)), plan(loaded.config));
});

function plan(config: Parameters<typeof configWithoutSecrets>[0]): unknown {
  const upstream = { pools: [], next: () => assert.fail('nothing is sent'), retire() {} };
  const input = { config, generation: 1, customPolicies: [], identity: inertServices, upstream: () => upstream };
  return planRoutes({ ...input, begin() {}, done() {} }).map(({ api, name, published, plan: steps }) => ({
    api,
    name,
    published,
    steps,
  }));
}
