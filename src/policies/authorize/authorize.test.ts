import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../../exchange.ts';
import { inertServices } from '../../identity/inert-services.ts';
import { HeaderList } from '../../lib/header-list.ts';
import type { AuditEvent } from '../../stores/audit.ts';
import { publicRoute, testExchange, testPrincipal } from '../test-exchange.ts';
import { authorizePolicy } from './authorize.ts';
import { authorizeConfig } from './config.ts';

test('scopes: all of the list, whatever the method', () => {
  const config = { scopes: ['a', 'b'] };
  assert.equal(judge(config, { scopes: ['b', 'c', 'a'] }), undefined);
  assert.equal(judge(config, { scopes: ['a'] })?.code, 'insufficient-scope');
  assert.equal(judge(config, { scopes: ['a b'] })?.code, 'insufficient-scope');
  assert.equal(judge(config, { scopes: [] })?.code, 'insufficient-scope');
});

test('scopes by method: its own, HEAD those of GET, the rest those of *, and without a * none', () => {
  const config = { scopes: { GET: ['read'], DELETE: [], '*': ['write'] } };
  const reader = { scopes: ['read'] };
  assert.equal(judge(config, reader, 'GET'), undefined);
  assert.equal(judge(config, reader, 'HEAD'), undefined);
  assert.equal(judge(config, reader, 'POST')?.code, 'insufficient-scope');
  assert.equal(judge(config, { scopes: [] }, 'DELETE'), undefined);
  for (const method of ['POST', 'PROPFIND', 'constructor', '__proto__'])
    assert.equal(judge({ scopes: { GET: [] } }, reader, method)?.code, 'forbidden', method);
});

test('a token without the scope is told which, in the scheme it came with', () => {
  const problem = judge({ scopes: ['a', 'b'] }, { scopes: [] });
  const metadata = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"';
  assert.deepEqual(problem?.headers, [
    'WWW-Authenticate',
    `Bearer error="insufficient_scope", scope="a b", ${metadata}`,
  ]);
  assert.equal(problem?.detail, 'This needs the scope a b.');
  assert.match(judge({ scopes: ['a'] }, {}, 'GET', 'dpop x')?.headers[1] ?? '', /^DPoP error="insufficient_scope"/);
});

test('a key without the scope is refused without a challenge of OAuth', () => {
  const problem = judge({ scopes: ['a'] }, { method: 'apiKey' });
  assert.equal(problem?.code, 'insufficient-scope');
  assert.deepEqual(problem?.headers, []);
});

test('claims: one of the values, or a list that has one; what is odd or missing meets no rule', () => {
  const claims = { role: 'admin', level: 3, staff: true, nested: { roles: ['x', 'y'] }, 'https://e.example/t': 'z' };
  const holds = (rule: object) => judge({ claims: rule }, { claims }) === undefined;
  assert.ok(holds({ role: ['user', 'admin'] }));
  assert.ok(holds({ level: [3], staff: [true] }));
  assert.ok(holds({ 'nested.roles': ['y'] }));
  assert.ok(holds({ 'https://e.example/t': ['z'] }));
  for (const rule of [
    { role: ['user'] },
    { role: ['admi'] },
    { level: ['3'] },
    { staff: ['true'] },
    { nested: ['x'] },
    { 'nested.roles.0': ['x'] },
    { 'nested.roles.length': [2] },
    { missing: ['undefined', 'null'] },
    { 'role.length': [5] },
    { 'constructor.name': ['Object'] },
    { __proto__x: ['a'] },
    { role: ['admin'], level: [4] },
  ])
    assert.ok(!holds(rule), JSON.stringify(rule));
  assert.equal(judge({ claims: { a: ['b'] } }, { claims: {} })?.code, 'forbidden');
});

test('kinds, methods, clients and consumers are lists of who is let in', () => {
  const key: Partial<Principal> = { kind: 'consumer', method: 'apiKey', clientId: undefined, consumer: 'acme' };
  assert.equal(judge({ kinds: ['user'] }, {}), undefined);
  assert.equal(judge({ kinds: ['user'] }, key)?.code, 'forbidden');
  assert.equal(judge({ methods: ['oauth', 'login'] }, {}), undefined);
  assert.equal(judge({ methods: ['oauth'] }, key)?.code, 'forbidden');
  assert.equal(judge({ clients: ['app'] }, {}), undefined);
  assert.equal(judge({ clients: ['ap', 'app2'] }, {})?.code, 'forbidden');
  assert.equal(judge({ clients: ['app'] }, key)?.code, 'forbidden');
  assert.equal(judge({ consumers: ['acme'] }, key), undefined);
  assert.equal(judge({ consumers: ['acme'] }, {})?.code, 'forbidden');
});

test('every rule must hold', () => {
  assert.equal(judge({ kinds: ['user'], scopes: ['a'] }, { scopes: [] })?.code, 'insufficient-scope');
  assert.equal(judge({ kinds: ['client'], scopes: ['a'] }, { scopes: ['a'] })?.code, 'forbidden');
});

test('a refusal says nothing of the rule to the client, and all to the log', () => {
  const { problem, audited } = run({ claims: { role: ['admin'] } }, {});
  assert.equal(problem?.detail, undefined);
  assert.equal(problem?.internal, 'authorize: the rule claims.role does not hold');
  assert.deepEqual(audited[0]?.detail, {
    api: 'widgets',
    route: 'widgets',
    code: 'forbidden',
    reason: 'authorize: the rule claims.role does not hold',
  });
  assert.equal(audited[0]?.actor, 'user:https://issuer.example|alice');
});

test('without a caller it is a fault, and no way in', () => {
  const hook = authorizePolicy.compile(authorizeConfig.parse({ scopes: ['a'] }), publicRoute)?.request;
  assert.throws(() => hook?.(testExchange()), /without a principal/);
});

test('rules that could not be meant are faults', () => {
  for (const config of [
    { scopes: [] },
    { scopes: ['a b'] },
    { scopes: ['a"'] },
    { scopes: { get: ['a'] } },
    { claims: { a: [] } },
    { claims: { a: [{}] } },
    { kinds: ['robot'] },
    { methods: ['basic'] },
    { clients: [] },
    { role: ['admin'] },
  ])
    assert.equal(authorizeConfig.safeParse(config).success, false, JSON.stringify(config));
});

function judge(config: object, facts: Partial<Principal>, method = 'GET', authorization = 'Bearer x') {
  return run(config, facts, method, authorization).problem;
}

function run(config: object, facts: Partial<Principal>, method = 'GET', authorization = 'Bearer x') {
  const audited: AuditEvent[] = [];
  const identity = {
    ...inertServices,
    reports: { ...inertServices.reports, audit: (event: AuditEvent) => void audited.push(event) },
  };
  const policy = authorizePolicy.compile(authorizeConfig.parse(config), { ...publicRoute, path: '/v1', identity });
  const exchange = testExchange({ method, headers: new HeaderList(['Authorization', authorization]) });
  exchange.principal = testPrincipal(facts);
  const problem = policy?.request?.(exchange);
  assert.ok(problem === undefined || 'code' in problem);
  return { problem, audited };
}
