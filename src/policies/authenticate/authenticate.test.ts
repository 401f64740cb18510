import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { Problem } from '../../errors/problem.ts';
import { type Exchange, Reply } from '../../exchange.ts';
import { inertServices } from '../../identity/inert-services.ts';
import { HeaderList } from '../../lib/header-list.ts';
import type { AuditEvent } from '../../stores/audit.ts';
import type { AuthenticationMethod, AuthenticationOutcome, CompiledMethod } from '../authentication-method.ts';
import { publicRoute, testExchange, testPrincipal } from '../test-exchange.ts';
import { authenticatePolicy } from './authenticate.ts';

const BAD_TOKEN = new Problem('invalid-token', { headers: ['WWW-Authenticate', 'A error="bad"'], internal: 'a: bad' });

test('none asks for nothing', () => {
  const policy = authenticatePolicy([]);
  assert.equal(policy.compile(policy.config.parse('none'), publicRoute), undefined);
});

for (const late of [false, true]) {
  const how = late ? 'with promises' : 'at once';

  test(`${how}: the first whose credential is there names the caller; the others’ are concealed, not asked`, async () => {
    const { run, exchange, asked, concealed } = road({ late, a: undefined, b: 'good', c: 'good' });
    assert.equal(await run(), undefined);
    assert.equal(exchange.principal?.id, 'b');
    assert.deepEqual(asked, ['a', 'b']);
    assert.deepEqual(concealed, ['a', 'c']);
  });

  test(`${how}: a bad credential is refused though a good one follows, with every challenge`, async () => {
    const { run, exchange, asked, audited } = road({ late, a: BAD_TOKEN, b: 'good' });
    const problem = await run();
    assert.ok(problem instanceof Problem);
    assert.equal(problem.code, 'invalid-token');
    assert.deepEqual(problem.headers, [
      'WWW-Authenticate',
      'A error="bad"',
      'WWW-Authenticate',
      'B',
      'WWW-Authenticate',
      'C',
    ]);
    assert.equal(problem.internal, 'a: bad');
    assert.equal(exchange.principal, undefined);
    assert.deepEqual(asked, ['a']);
    assert.deepEqual(audited, [
      {
        type: 'request.refused',
        actor: 'anonymous',
        subject: '',
        address: '192.0.2.7',
        detail: { api: 'widgets', route: 'widgets', code: 'invalid-token', reason: 'a: bad' },
      },
    ]);
  });

  test(`${how}: no credential is 401 with every challenge once, and nothing for the audit log`, async () => {
    const { run, exchange, audited } = road({ late });
    const problem = await run();
    assert.ok(problem instanceof Problem);
    assert.equal(problem.code, 'unauthenticated');
    assert.deepEqual(problem.headers, ['WWW-Authenticate', 'A', 'WWW-Authenticate', 'B', 'WWW-Authenticate', 'C']);
    assert.equal(exchange.principal, undefined);
    assert.deepEqual(audited, []);
  });

  test(`${how}: a credential that no alternative took is refused by its own method, before any invitation`, async () => {
    const { run, asked } = road({ late, unclaimed: BAD_TOKEN, invitation: redirect() });
    const problem = await run();
    assert.ok(problem instanceof Problem && problem.code === 'invalid-token');
    assert.deepEqual(asked, ['a', 'b', 'c']);
  });

  test(`${how}: who has no credential is invited where a method does so`, async () => {
    const invitation = redirect();
    assert.equal(await road({ late, invitation }).run(), invitation);
  });

  test(`${how}: a method may answer the request itself`, async () => {
    const answer = redirect();
    const { run, exchange } = road({ late, b: answer });
    assert.equal(await run(), answer);
    assert.equal(exchange.principal, undefined);
  });

  test(`${how}: a fault is thrown on, so that the gate stays shut`, async () => {
    const { run, exchange } = road({ late, a: new Error('broken'), b: 'good' });
    await assert.rejects(async () => run(), /broken/);
    assert.equal(exchange.principal, undefined);
  });
}

test('what cannot be checked is 503 and carries no challenge', async () => {
  const problem = await road({ late: true, a: new Problem('identity-unavailable') }).run();
  assert.ok(problem instanceof Problem);
  assert.equal(problem.status, 503);
  assert.deepEqual(problem.headers, []);
});

test('without a scheme to challenge with it is 403, since a 401 says what would do (RFC 9110 §15.5.2)', async () => {
  for (const [code, records] of [
    ['certificate-required', 0],
    ['forbidden', 1],
  ] as const) {
    const audited: AuditEvent[] = [];
    const certificate = method('clientCertificate', {
      authenticate: () => undefined,
      challenge: () => undefined,
      forbid: () => new Problem(code),
    });
    const alone = hookOf([certificate], audited);
    const refused = await alone(testExchange());
    assert.ok(refused instanceof Problem);
    assert.deepEqual([refused.code, refused.status, refused.headers], [code, 403, []]);
    assert.equal(audited.length, records);

    const token = method('oauth', { authenticate: () => undefined, challenge: () => 'Bearer' });
    const challenged = await hookOf([certificate, token], [])(testExchange());
    assert.ok(challenged instanceof Problem);
    assert.deepEqual([challenged.code, challenged.headers], ['unauthenticated', ['WWW-Authenticate', 'Bearer']]);
  }
});

test('an alternative names exactly one way, and none that there is not', () => {
  const { config } = authenticatePolicy([method('apiKey', {}), method('oauth', {})]);
  for (const written of [
    [],
    [{}],
    [{ apiKey: {}, oauth: {} }],
    [{ nobody: {} }],
    'all',
    true,
    {},
    [{ apiKey: { x: 1 } }],
  ])
    assert.equal(config.safeParse(written).success, false, JSON.stringify(written));
  assert.equal(config.safeParse([{ apiKey: {} }, { oauth: {} }]).success, true);
});

interface Cast {
  readonly late: boolean;
  readonly a?: Line;
  readonly b?: Line;
  readonly c?: Line;
  readonly unclaimed?: Problem;
  readonly invitation?: Reply;
}

/** What a method says of the request: 'good' is a principal of its name, an Error is thrown. */
type Line = 'good' | Problem | Reply | Error | undefined;

function road(cast: Cast) {
  const asked: string[] = [];
  const concealed: string[] = [];
  const audited: AuditEvent[] = [];

  function actor(name: 'a' | 'b' | 'c'): CompiledMethod {
    const line = cast[name];
    const say = (): AuthenticationOutcome => {
      asked.push(name);
      if (line instanceof Error) throw line;
      return line === 'good' ? testPrincipal({ id: name }) : line;
    };
    return {
      authenticate: cast.late ? async () => say() : say,
      challenge: () => name.toUpperCase(),
      conceal: () => void concealed.push(name),
      ...(name === 'b' ? { unclaimed: () => cast.unclaimed, invite: () => cast.invitation } : {}),
    };
  }

  const methods = [method('oauth', actor('a')), method('apiKey', actor('b')), method('login', actor('c'))];
  const hook = hookOf(methods, audited);
  assert.notEqual(hook.name, '');
  const exchange: Exchange = testExchange();
  return { run: () => hook(exchange), exchange, asked, concealed, audited };
}

/** The hook of a route that takes all of these methods, in their order. */
function hookOf(methods: readonly AuthenticationMethod[], audited: AuditEvent[]) {
  const policy = authenticatePolicy(methods);
  const identity = {
    ...inertServices,
    reports: { ...inertServices.reports, audit: (event: AuditEvent) => void audited.push(event) },
  };
  const config = policy.config.parse(methods.map(({ name }) => ({ [name]: {} })));
  const hook = policy.compile(config, { ...publicRoute, identity })?.request;
  assert.ok(hook !== undefined);
  return hook;
}

function method(name: AuthenticationMethod['name'], compiled: object): AuthenticationMethod {
  return { name, config: z.strictObject({}), compile: () => compiled as CompiledMethod }; // those without a part are not run
}

function redirect(): Reply {
  return new Reply(302, new HeaderList(['Location', '/sign-in']), undefined, 'gateway');
}
