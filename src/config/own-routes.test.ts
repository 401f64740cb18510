import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reply } from '../exchange.ts';
import { publicRoute, testExchange } from '../policies/test-exchange.ts';
import { loadConfig } from './load.ts';
import { ownRoutes } from './own-routes.ts';

test('the metadata of an API says that tokens may be bound to certificates where its listeners ask for them', async () => {
  assert.deepEqual(await metadataOn('plain'), { dpop: true, tls: undefined });
  assert.deepEqual(await metadataOn('asking'), { dpop: undefined, tls: true });
});

const internal = `
listeners: [{ name: internal, exposure: internal, address: 127.0.0.1:9443, tls: { clientCa: ./ca.pem } }]
apis: [{ name: widgets, exposure: internal, path: /v1, upstream: 'http://127.0.0.1:1', authenticate: none }]
`;

async function load(text: string) {
  const readFile = async (path: string) =>
    Buffer.from(path.endsWith('.pem') ? '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n' : text);
  const loaded = await loadConfig('/s.yaml', { env: {}, dev: false, readFile });
  assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.faults));
  return ownRoutes(loaded.config);
}

async function metadataOn(listener: string) {
  const text = `
listeners:
  - { name: plain, address: 127.0.0.1:8443 }
  - { name: asking, address: 127.0.0.1:8444, tls: { clientCertificates: requested } }
apis:
  - name: widgets
    listeners: [${listener}]
    path: /v1
    upstream: http://127.0.0.1:1
    authenticate: [{ oauth: { issuer: https://id.example, audience: widgets, senderConstrained: require } }]
`;
  const [policy] = (await load(text)).find(({ name }) => name === 'resource-metadata')?.own ?? [];
  const reply = await policy?.compile({}, publicRoute)?.request?.(testExchange());
  assert.ok(reply instanceof Reply && typeof reply.body === 'string');
  const document = JSON.parse(reply.body);
  return {
    dpop: document.dpop_bound_access_tokens_required,
    tls: document.tls_client_certificate_bound_access_tokens,
  };
}

test('the admin API takes keys of its own environment alone, whatever stands beside them', async () => {
  for (const admin of ['', 'admin: { authenticate: [{ clientCertificate: {} }, { apiKey: {} }] }']) {
    const [route] = (await load(`${internal}\n${admin}`)).filter(({ app }) => app === 'admin');
    const authenticate = route?.settings['authenticate'];
    assert.ok(Array.isArray(authenticate));
    assert.deepEqual(authenticate.at(-1)?.apiKey.environments, ['admin']);
  }
});

test('the list of its clients is a rule of its own place', async () => {
  const own = async (admin: string) =>
    (await load(`${internal}\n${admin}`)).find(({ app }) => app === 'admin')?.own.map(({ name }) => name);
  assert.deepEqual(await own(''), ['nameActor']);
  assert.deepEqual(await own('admin: { allowedClients: [console] }'), ['allowClients', 'nameActor']);
});
