import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicRoute, testExchange, testPrincipal } from '../policies/test-exchange.ts';
import { nameActorPolicy } from './own-policies.ts';

const certificate = {
  kind: 'certificate',
  method: 'clientCertificate',
  id: 'certificate:C=DE, CN=ops',
  clientId: undefined,
} as const;

test('the admin API is told who acts in the words of the audit log', () => {
  const exchange = testExchange();
  exchange.principal = testPrincipal(certificate);
  nameActorPolicy.compile({}, publicRoute)?.request?.(exchange);
  assert.deepEqual(exchange.upstreamHeaders.set.raw, [
    'X-Sallyport-Actor',
    'certificate:C=DE, CN=ops',
    'X-Sallyport-Scopes',
    'admin',
  ]);
});
