import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reply } from '../../exchange.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { oauthConfig } from './config.ts';
import { resourceMetadataPath, resourceMetadataPolicy } from './resource-metadata.ts';

test('the well-known part goes before the path (RFC 9728 §3.1)', () => {
  assert.equal(resourceMetadataPath('/'), '/.well-known/oauth-protected-resource');
  assert.equal(resourceMetadataPath('/v1/widgets'), '/.well-known/oauth-protected-resource/v1/widgets');
});

test('the document names the resource, its servers, scopes and what proofs may be signed with', async () => {
  const { document, reply } = await serve([
    { audience: 'https://api.example.com/v1' },
    { audience: 'b', issuer: 'https://id.example', algorithms: ['ES256', 'ES384'] },
    { audience: 'c', issuer: 'https://id.example' },
  ]);
  assert.deepEqual(document, {
    resource: 'https://api.example.com/v1',
    authorization_servers: ['https://own.example', 'https://id.example'],
    scopes_supported: ['widgets:read'],
    bearer_methods_supported: ['header'],
    resource_name: 'widgets',
    dpop_signing_alg_values_supported: ['ES256', 'RS256', 'PS256', 'EdDSA', 'ES384'],
    tls_client_certificate_bound_access_tokens: true,
  });
  assert.equal(reply.status, 200);
  assert.equal(reply.headers.get('content-type'), 'application/json');
});

test('the resource is the audience that is the URL asked for, else what clients can ask a token for', async () => {
  const of = async (audience: string[]) => (await serve([{ audience }])).document['resource'];
  assert.equal(await of(['widgets', 'https://api.example.com/v1/']), 'https://api.example.com/v1/');
  assert.equal(await of(['https://elsewhere.example/api']), 'https://elsewhere.example/api');
});

test('where every alternative takes bound tokens alone, the document says so', async () => {
  const bound = { audience: 'a', senderConstrained: 'require' };
  assert.equal((await serve([bound, bound])).document['dpop_bound_access_tokens_required'], true);
  assert.equal((await serve([bound, { audience: 'a' }])).document['dpop_bound_access_tokens_required'], undefined);
});

async function serve(alternatives: readonly object[]) {
  const policy = resourceMetadataPolicy({
    name: 'widgets',
    path: '/v1',
    alternatives: alternatives.map((alternative) => oauthConfig.parse(alternative)),
    ownIssuer: 'https://own.example',
    scopes: ['widgets:read'],
  });
  const reply = await policy.compile({}, publicRoute)?.request?.(testExchange());
  assert.ok(reply instanceof Reply && typeof reply.body === 'string');
  const document: Readonly<Record<string, unknown>> = JSON.parse(reply.body);
  return { document, reply };
}
