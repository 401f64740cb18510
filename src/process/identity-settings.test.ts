import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { defaultIssuerSettings } from '../identity/issuer-settings.ts';
import { issuerSettingsOf, loginSettingsOf, resourcesOf } from './identity-settings.ts';

const OWN = 'https://localhost:8443/oauth';
const API = 'https://api.example/widgets';
const server = { issuer: OWN, scopes: { 'a:b': 'Widgets', 'c:d': 'Gadgets' } };
const login = { clientId: 'web', clientSecret: 's'.repeat(32) };

test('issuers are those of the file and those an API names, each once, and never the embedded server', async () => {
  const config = await configOf({
    authorizationServer: server,
    issuers: [{ issuer: 'https://id.example', coolDown: '1m' }],
    apis: [
      api('one', [{ oauth: { issuer: 'https://id.example', audience: API } }]),
      api('two', [
        { oauth: { issuer: 'https://named.example', audience: API } },
        { oauth: { issuer: OWN, audience: API } },
        { apiKey: {} },
      ]),
      api('three', [{ oauth: { audience: API } }, { oauth: { issuer: 'https://named.example', audience: 'x' } }]),
    ],
  });
  const settings = issuerSettingsOf(config);
  assert.deepEqual(
    settings.map(({ issuer, coolDown }) => [issuer, coolDown]),
    [
      ['https://id.example', 60_000],
      ['https://named.example', 30_000],
    ],
  );
  assert.deepEqual(settings[1], defaultIssuerSettings('https://named.example'));
});

test('issuers of the admin API are asked too', async () => {
  const config = await configOf({
    listeners: [
      { name: 'public', address: '127.0.0.1:8443' },
      { name: 'internal', exposure: 'internal', address: '127.0.0.1:9443' },
    ],
    admin: { authenticate: [{ oauth: { issuer: 'https://staff.example', audience: 'https://admin.example' } }] },
  });
  assert.deepEqual(
    issuerSettingsOf(config).map(({ issuer }) => issuer),
    ['https://staff.example'],
  );
  assert.deepEqual(resourcesOf(config), []);
});

test('resources of the embedded server are the audiences its tokens are accepted under, and only URIs without a fragment', async () => {
  const config = await configOf({
    authorizationServer: server,
    apis: [
      api('one', [{ oauth: { audience: [API, 'widgets', `${API}#part`] } }]),
      api('two', [{ oauth: { issuer: OWN, audience: [API, 'https://api.example/two'] } }]),
      api('foreign', [{ oauth: { issuer: 'https://id.example', audience: 'https://api.example/foreign' } }]),
      api('open', 'none'),
    ],
  });
  const common = { scopes: ['a:b', 'c:d'] };
  assert.deepEqual(resourcesOf(config), [
    { audience: API, name: 'one', ...common },
    { audience: 'https://api.example/two', name: 'two', ...common },
  ]);
});

test('without an embedded server there are no resources', async () => {
  const config = await configOf({ apis: [api('one', [{ oauth: { issuer: 'https://id.example', audience: API } }])] });
  assert.deepEqual(resourcesOf(config), []);
});

test('an API that only browsers call is a resource by what its login asks for', async () => {
  const config = await configOf({
    authorizationServer: server,
    logins: {
      app: { ...login, resource: API },
      other: { ...login, path: '/.other', issuer: 'https://id.example', resource: 'https://x.example' },
    },
    apis: [api('web', [{ login: { use: 'app' } }], { hosts: ['app.example'] })],
  });
  assert.deepEqual(
    resourcesOf(config).map(({ audience, name }) => [audience, name]),
    [[API, 'web']],
  );
});

test('logins are of the embedded server where they name no other, and have all that the file says of them', async () => {
  const config = await configOf({
    authorizationServer: server,
    logins: {
      app: login,
      staff: {
        ...login,
        issuer: 'https://id.example',
        path: '/.staff',
        clientAuthentication: 'client_secret_post',
        afterLogout: '/goodbye?from=staff',
      },
    },
  });
  const [app, staff] = loginSettingsOf(config);
  const defaults = { issuer: OWN, path: '/.auth', clientAuthentication: 'client_secret_basic', afterLogout: '/' };
  assert.partialDeepStrictEqual(app, { name: 'app', ...defaults });
  assert.partialDeepStrictEqual(staff, {
    name: 'staff',
    issuer: 'https://id.example',
    path: '/.staff',
    clientAuthentication: 'client_secret_post',
    afterLogout: '/goodbye?from=staff',
  });
});

function api(name: string, authenticate: unknown, more: object = {}): object {
  return { name, path: `/${name}`, upstream: 'http://127.0.0.1:4000', authenticate, ...more };
}

async function configOf(file: object): Promise<GatewayConfig> {
  const whole = { listeners: [{ name: 'public', address: '127.0.0.1:8443' }], apis: [api('open', 'none')], ...file };
  const readFile = async () => new TextEncoder().encode(JSON.stringify(whole)); // JSON is YAML
  const result = await loadConfig('/etc/sallyport/sallyport.yaml', { env: {}, dev: false, readFile });
  assert.ok(result.ok, result.ok ? '' : renderFaults('sallyport.yaml', result.faults));
  return result.config;
}
