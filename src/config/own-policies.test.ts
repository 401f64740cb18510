import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../errors/problem.ts';
import type { Principal } from '../exchange.ts';
import { inertServices } from '../identity/inert-services.ts';
import { publicRoute, testExchange, testPrincipal } from '../policies/test-exchange.ts';
import type { AuditEvent } from '../stores/audit.ts';
import { allowClientsPolicy, nameActorPolicy } from './own-policies.ts';

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

test('a list of clients is about those who act through one', () => {
  assert.equal(judge({ clientId: 'console' }).problem, undefined);
  assert.equal(judge({ method: 'login', clientId: 'console' }).problem, undefined);
  assert.equal(judge(certificate).problem, undefined);
  assert.equal(judge({ kind: 'consumer', method: 'apiKey', clientId: undefined }).problem, undefined);
  for (const facts of [{ clientId: 'other' }, { clientId: undefined }, { method: 'login', clientId: 'web' }] as const)
    assert.equal(judge(facts).problem?.code, 'forbidden');
  assert.deepEqual(judge({ clientId: 'other' }).audited, [
    {
      type: 'request.refused',
      actor: 'user:https://issuer.example|alice',
      subject: '',
      address: '192.0.2.7',
      detail: {
        api: 'widgets',
        route: 'widgets',
        code: 'forbidden',
        reason: 'admin: the client is not among allowedClients',
      },
    },
  ]);
});

function judge(facts: Partial<Principal>) {
  const audited: AuditEvent[] = [];
  const reports = { ...inertServices.reports, audit: (event: AuditEvent) => void audited.push(event) };
  const policy = allowClientsPolicy(['console']).compile(
    {},
    { ...publicRoute, identity: { ...inertServices, reports } },
  );
  const exchange = testExchange();
  exchange.principal = testPrincipal(facts);
  const problem = policy?.request?.(exchange);
  assert.ok(problem === undefined || problem instanceof Problem);
  return { problem, audited };
}
