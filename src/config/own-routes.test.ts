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
  const loaded = await loadConfig('/s.yaml', { env: {}, dev: false, readFile: async () => Buffer.from(text) });
  assert.ok(loaded.ok);
  const [policy] = ownRoutes(loaded.config).find(({ name }) => name === 'resource-metadata')?.own ?? [];
  const reply = await policy?.compile({}, publicRoute)?.request?.(testExchange());
  assert.ok(reply instanceof Reply && typeof reply.body === 'string');
  const document = JSON.parse(reply.body);
  return {
    dpop: document.dpop_bound_access_tokens_required,
    tls: document.tls_client_certificate_bound_access_tokens,
  };
}
