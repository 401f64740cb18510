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
  });
  assert.equal(reply.status, 200);
  assert.equal(reply.headers.get('content-type'), 'application/json');
});

test('the resource is the audience that is the URL of the API, else one that clients can ask a token for, else that URL', async () => {
  const of = async (audience: string[]) => (await serve([{ audience }])).document['resource'];
  assert.equal(await of(['widgets', 'https://api.example.com/v1/']), 'https://api.example.com/v1/');
  assert.equal(await of(['https://api.example.com/v1/', 'https://api.example.com/v1']), 'https://api.example.com/v1');
  assert.equal(await of(['widgets', 'https://elsewhere.example/api']), 'https://elsewhere.example/api');
  assert.equal(await of(['widgets', 'https://elsewhere.example/api#part']), 'https://api.example.com/v1');
});

test('DPoP is required where every alternative takes bound tokens alone and no certificate can bind one', async () => {
  const bound = { audience: 'a', senderConstrained: 'require' };
  for (const { alternatives, certificates, dpop, tls } of [
    { alternatives: [bound, bound], certificates: false, dpop: true, tls: undefined },
    { alternatives: [bound, bound], certificates: true, dpop: undefined, tls: true },
    { alternatives: [bound, { audience: 'a' }], certificates: false, dpop: undefined, tls: undefined },
    { alternatives: [{ audience: 'a' }], certificates: true, dpop: undefined, tls: true },
  ]) {
    const { document } = await serve(alternatives, certificates);
    assert.equal(document['dpop_bound_access_tokens_required'], dpop);
    assert.equal(document['tls_client_certificate_bound_access_tokens'], tls);
  }
});

async function serve(alternatives: readonly object[], certificates = false) {
  const policy = resourceMetadataPolicy({
    name: 'widgets',
    path: '/v1',
    alternatives: alternatives.map((alternative) => oauthConfig.parse(alternative)),
    ownIssuer: 'https://own.example',
    scopes: ['widgets:read'],
    certificates,
  });
  const reply = await policy.compile({}, publicRoute)?.request?.(testExchange());
  assert.ok(reply instanceof Reply && typeof reply.body === 'string');
  const document: Readonly<Record<string, unknown>> = JSON.parse(reply.body);
  return { document, reply };
}
