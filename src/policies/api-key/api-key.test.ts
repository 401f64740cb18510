import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../../errors/problem.ts';
import type { Exchange, Principal, RequestHead } from '../../exchange.ts';
import { requestHead } from '../../forward/request-head.ts';
import { inertServices } from '../../identity/inert-services.ts';
import type { KeyFinder } from '../../identity/services.ts';
import { foundKey } from '../../identity/test-key-records.ts';
import { makeApiKey } from '../../lib/api-key.ts';
import { HeaderList } from '../../lib/header-list.ts';
import {
  type ApiKey,
  type Consumer,
  type KeyUse,
  type KeyWithConsumer,
  StoreUnavailable,
} from '../../stores/stores.ts';
import type { AuthenticationOutcome, CompiledMethod } from '../authentication-method.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { apiKeyMethod } from './api-key.ts';
import { apiKeyConfig } from './config.ts';
import { takeParameter } from './logic.ts';

const MADE = makeApiKey('live');
const STORED = { id: MADE.id, hash: MADE.secretHash };
const CHALLENGE = 'ApiKey realm="widgets", header="x-api-key"';

describe('a good key', () => {
  test('makes a principal of its consumer, at once and the same for every request', () => {
    const { method, uses, refused } = methodWith({
      key: { scopes: ['widgets:read'], metadata: { plan: 'own' } },
      consumer: { metadata: { plan: 'theirs', tier: 'gold' } },
    });
    const exchange = showing(MADE.key);
    const outcome = method.authenticate(exchange);
    const expected: Principal = {
      id: 'consumer:con_1',
      kind: 'consumer',
      method: 'apiKey',
      issuer: undefined,
      subject: 'con_1',
      clientId: undefined,
      consumer: 'partner-app',
      credentialId: MADE.id,
      scopes: ['widgets:read'],
      claims: { plan: 'own', tier: 'gold' },
    };
    assert.deepEqual(outcome, expected);
    assert.equal(method.authenticate(showing(MADE.key)), outcome);
    assert.deepEqual(refused, []);
    assert.equal(uses.length, 2);
    const [{ lastUsedAt, ...use } = assert.fail()] = uses;
    assert.ok(Math.abs(Date.now() - lastUsedAt) < 60_000);
    assert.deepEqual(use, { id: MADE.id, uses: 1, address: '192.0.2.7', route: 'widgets' });
  });

  test('is taken out of what the upstream gets, unless the file says otherwise', () => {
    const { method } = methodWith({});
    const exchange = showing(MADE.key);
    method.authenticate(exchange);
    assert.ok(!upstreamHead(exchange).includes(MADE.key));

    const passing = methodWith({}, { passKey: true }).method;
    const passed = showing(MADE.key);
    passing.authenticate(passed);
    assert.ok(upstreamHead(passed).includes(`X-Api-Key: ${MADE.key}\r\n`));
    assert.equal(passing.conceal, undefined);
  });

  test('does not reach the upstream either where another alternative let the caller in', () => {
    const { method } = methodWith({});
    const exchange = showing(MADE.key);
    method.conceal?.(exchange);
    assert.ok(!upstreamHead(exchange).includes(MADE.key));
  });

  test('may come after a look into the store', async () => {
    const { method } = methodWith({}, {}, (found) => Promise.resolve(found));
    const outcome = method.authenticate(showing(MADE.key));
    assert.ok(outcome instanceof Promise);
    assert.equal(principalOf(await outcome).credentialId, MADE.id);
  });

  test('shows the route it was used on', () => {
    const { method, uses } = methodWith({}, {}, undefined, { route: 'GET /items/{id}' });
    method.authenticate(showing(MADE.key));
    assert.equal(uses[0]?.route, 'widgets GET /items/{id}');
  });

  test('is good in the field, the environment and at the addresses the file and the key name', () => {
    const { method } = methodWith({ key: { cidrs: ['192.0.2.0/24', '2001:db8::/32'], apis: ['gadgets', 'widgets'] } });
    for (const clientAddress of ['192.0.2.200', '::ffff:192.0.2.1', '::ffff:c000:201', '2001:db8:ffff::1'])
      principalOf(method.authenticate(showing(MADE.key, { clientAddress })));

    const test = makeApiKey('test');
    const elsewhere = methodWith(
      { key: { id: test.id, hash: test.secretHash, environment: 'test' } },
      { header: 'X-Widget-Key', environments: ['test'] },
    ).method;
    principalOf(elsewhere.authenticate(testExchange({ headers: new HeaderList(['x-widget-KEY', test.key]) })));
    assert.equal(elsewhere.authenticate(showing(test.key)), undefined);
    assert.equal(elsewhere.challenge(testExchange()), 'ApiKey realm="widgets", header="x-widget-key"');
  });
});

describe('no key', () => {
  test('is no answer, and what to show is in the challenge', () => {
    const { method } = methodWith({});
    assert.equal(method.authenticate(testExchange()), undefined);
    assert.equal(method.challenge(testExchange()), CHALLENGE);
  });

  test('a key in the query is none where keys come in a header', () => {
    const { method } = methodWith({});
    assert.equal(method.authenticate(asking(`api_key=${MADE.key}`)), undefined);
  });
});

const past = Date.now() - 1;
const spoilt: readonly (readonly [reason: string, stored: Stored])[] = [
  ['unknown', { absent: true }],
  ['wrong-secret', { key: { hash: makeApiKey('live').secretHash } }],
  ['other-environment', { key: { environment: 'test' } }],
  ['revoked', { key: { revokedAt: past } }],
  ['expired', { key: { expiresAt: past } }],
  ['expired', { key: { expiresAt: past, replacedBy: 'B'.repeat(12) } }],
  ['consumer-disabled', { consumer: { disabled: true } }],
];

describe('a key that opens nothing', () => {
  for (const [reason, stored] of spoilt) {
    test(`because it is ${reason} gets the one answer, and the log the reason`, async () => {
      for (const way of [undefined, (found: Found) => Promise.resolve(found)]) {
        const { method, refused, uses } = methodWith(stored, {}, way);
        const exchange = showing(MADE.key);
        const problem = problemOf(await method.authenticate(exchange));
        assert.equal(problem.code, 'invalid-key');
        assert.deepEqual(problem.headers, ['WWW-Authenticate', `${CHALLENGE}, error="invalid_key"`]);
        assert.equal(problem.detail, undefined);
        assert.equal(exchange.internalDetail, `API key ${MADE.id}: ${reason}`);
        assert.deepEqual(refused, reason === 'unknown' ? [] : [`${MADE.id} 192.0.2.7`]);
        assert.deepEqual(uses, []);
        assert.ok(!upstreamHead(exchange).includes(MADE.key));
      }
    });
  }

  test('a key that was replaced works until the overlap is over', () => {
    const { method } = methodWith({ key: { replacedBy: 'B'.repeat(12), expiresAt: Date.now() + 60_000 } });
    principalOf(method.authenticate(showing(MADE.key)));
  });

  test('a key for other APIs is told so, and one from a strange address', () => {
    const api = methodWith({ key: { apis: ['gadgets'] } });
    assert.equal(problemOf(api.method.authenticate(showing(MADE.key))).code, 'forbidden');
    const none = methodWith({ key: { apis: [] } });
    assert.equal(problemOf(none.method.authenticate(showing(MADE.key))).code, 'forbidden');

    const address = methodWith({ key: { cidrs: ['198.51.100.0/24', '::/0'] } });
    for (const clientAddress of ['192.0.2.7', '::ffff:192.0.2.7', 'no address']) {
      const problem = problemOf(address.method.authenticate(showing(MADE.key, { clientAddress })));
      assert.equal(problem.code, 'forbidden-address');
    }
    assert.equal(address.refused.length, 3);
  });

  test('only its holder is told that a key is for other APIs or addresses', () => {
    const stored = { key: { hash: makeApiKey('live').secretHash, apis: ['gadgets'], cidrs: ['198.51.100.0/24'] } };
    assert.equal(problemOf(methodWith(stored).method.authenticate(showing(MADE.key))).code, 'invalid-key');
  });
});

describe('what never reaches the store', () => {
  test('typos, other environments and texts of any kind', () => {
    const { method, asked } = methodWith({});
    const texts = [
      '',
      ' ',
      'null',
      `${MADE.key.slice(0, -1)}-`,
      MADE.key.slice(1),
      makeApiKey('test').key,
      `${MADE.key}, ${MADE.key}`,
    ];
    for (const text of texts) assert.equal(problemOf(method.authenticate(showing(text))).code, 'invalid-key', text);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.equal(problemOf(method.authenticate(showing(text))).code, 'invalid-key');
      }),
    );
    assert.deepEqual(asked, []);
  });

  test('more than one key, even the same twice', () => {
    const { method, asked } = methodWith({});
    const headers = new HeaderList(['X-Api-Key', MADE.key, 'x-api-key', MADE.key]);
    assert.equal(problemOf(method.authenticate(testExchange({ headers }))).code, 'bad-request');
    assert.deepEqual(asked, []);
  });
});

describe('a store that does not answer', () => {
  test('means that the key cannot be checked: refused, with a hope for later', async () => {
    const { method, uses } = methodWith({}, {}, () => Promise.reject(new StoreUnavailable('3 s without an answer')));
    const problem = problemOf(await method.authenticate(showing(MADE.key)));
    assert.equal(problem.code, 'identity-unavailable');
    assert.equal(problem.status, 503);
    assert.equal(problem.internal, '3 s without an answer');
    assert.deepEqual(uses, []);
  });

  test('any other fault is a fault', async () => {
    const { method } = methodWith({}, {}, () => Promise.reject(new RangeError('ours')));
    await assert.rejects(async () => await method.authenticate(showing(MADE.key)), RangeError);
  });

  test('services that know nobody let nobody in', async () => {
    const method = apiKeyMethod.compile(apiKeyConfig.parse({}), { ...publicRoute, identity: inertServices });
    assert.equal(problemOf(await method.authenticate(showing(MADE.key))).code, 'identity-unavailable');
  });
});

describe('a key in the query', () => {
  test('is good by explicit choice, in every spelling, and the upstream gets the rest byte for byte', () => {
    const { method } = methodWith({}, { in: 'query' });
    const spelled: readonly (readonly [query: string, rest: string])[] = [
      [`api_key=${MADE.key}`, ' / '],
      [`a=%2f+1&api_key=${MADE.key}&&b`, ' /?a=%2f+1&&b '],
      [`api%5Fkey=${MADE.key.replaceAll('_', '%5F')}&a`, ' /?a '],
    ];
    for (const [query, rest] of spelled) {
      const exchange = asking(query);
      principalOf(method.authenticate(exchange));
      assert.ok(upstreamHead(exchange).split('\r\n')[0]?.includes(rest), upstreamHead(exchange));
      assert.equal(exchange.target.query, query);
    }
    assert.equal(method.challenge(testExchange()), 'ApiKey realm="widgets", query="api_key"');
  });

  test('twice is once too often, however it is spelled', () => {
    const { method } = methodWith({}, { in: 'query' });
    const exchange = asking(`api_key=${MADE.key}&%61pi_key=${MADE.key}`);
    assert.equal(problemOf(method.authenticate(exchange)).code, 'bad-request');
    assert.ok(!upstreamHead(exchange).includes(MADE.key));
  });

  test('is looked for under the name of the file, case included', () => {
    const { method } = methodWith({}, { in: 'query', parameter: 'key' });
    assert.equal(method.authenticate(asking(`Key=${MADE.key}&api_key=${MADE.key}`)), undefined);
    principalOf(method.authenticate(asking(`key=${MADE.key}`)));
    assert.equal(problemOf(method.authenticate(asking('key'))).code, 'invalid-key');
  });

  test('no query keeps the parameter once it was taken out, and nothing else goes', () => {
    const part = fc.constantFrom(
      'api_key',
      'api%5fkey',
      'a',
      'api_key2',
      '',
      '%',
      '%zz',
      'api_key=x',
      'b=api_key',
      '=',
      'c=1+%20',
    );
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const query = parts.join('&');
        const { values, rest } = takeParameter(query, 'api_key');
        assert.deepEqual(takeParameter(rest, 'api_key').values, []);
        const left = parts.filter((one) => !/^api(_|%5f)key(=|$)/.test(one));
        assert.equal(values.length, parts.length - left.length);
        assert.equal(rest ?? '', left.join('&'));
      }),
    );
    assert.deepEqual(takeParameter(undefined, 'api_key'), { values: [], rest: undefined });
  });
});

describe('settings', () => {
  test('are those of the documentation where the file has none', () => {
    const { in: place, passKey, whenStoreDown } = apiKeyConfig.parse({});
    assert.deepEqual({ place, passKey, whenStoreDown }, { place: 'header', passKey: false, whenStoreDown: 'refuse' });
  });

  const faults: readonly (readonly [config: object, message: RegExp])[] = [
    [{ in: 'cookie' }, /Invalid option/],
    [{ header: 'Authorization' }, /means something else/],
    [{ header: 'X-Forwarded-For' }, /means something else/],
    [{ header: 'X-Principal' }, /means something else/],
    [{ header: 'Connection' }, /means something else/],
    [{ header: 'X Key' }, /not a header field name/],
    [{ in: 'query', parameter: 'a b' }, /not the name of a query parameter/],
    [{ in: 'query', header: 'X-Key' }, /does nothing where `in` is query/],
    [{ parameter: 'key' }, /does nothing where `in` is header/],
    [{ environments: [] }, />=1|at least/],
    [{ environments: ['Live'] }, /not an environment/],
    [{ whenStoreDown: 'allow' }, /Invalid input/],
    [{ pasKey: true }, /pasKey/],
  ];
  for (const [config, message] of faults) {
    test(`${JSON.stringify(config)} does not load`, () => {
      const { error } = apiKeyConfig.safeParse(config);
      assert.match(error?.issues.map((issue) => issue.message).join('; ') ?? 'it loads', message);
    });
  }
});

type Found = KeyWithConsumer | undefined;

interface Stored {
  readonly key?: Partial<ApiKey>;
  readonly consumer?: Partial<Consumer>;
  readonly absent?: boolean;
}

/** The method, in front of a finder that knows one key or none. */
function methodWith(
  stored: Stored,
  config: object = {},
  way: (found: Found) => ReturnType<KeyFinder['find']> = (found) => found,
  place: { readonly route?: string } = {},
) {
  const asked: string[] = [];
  const uses: KeyUse[] = [];
  const refused: string[] = [];
  const held =
    stored.absent === true
      ? undefined
      : foundKey({ ...STORED, ...stored.key }, { name: 'partner-app', ...stored.consumer });
  const method: CompiledMethod = apiKeyMethod.compile(apiKeyConfig.parse(config), {
    ...publicRoute,
    ...place,
    identity: {
      ...inertServices,
      keys: {
        find(id) {
          asked.push(id);
          return way(held);
        },
      },
      reports: {
        audit: () => assert.fail('no method writes to the audit log'),
        keyUsed: (use) => uses.push(use),
        keyRefused: (id, address) => refused.push(`${id} ${address}`),
      },
    },
  });
  return { method, asked, uses, refused };
}

function showing(key: string, head: Partial<RequestHead> = {}): Exchange {
  return testExchange({ headers: new HeaderList(['Accept', '*/*', 'X-Api-Key', key]), ...head });
}

function asking(query: string): Exchange {
  return testExchange({ target: { path: '/', query, encodedDelimiters: false } });
}

function upstreamHead(exchange: Exchange): string {
  const plan = { preserveHost: true, rewrite: undefined, seesGatewayCookies: false };
  return requestHead(exchange, plan, { authority: 'upstream.example' });
}

function principalOf(outcome: AuthenticationOutcome | Promise<AuthenticationOutcome>): Principal {
  if (outcome === undefined || outcome instanceof Promise || !('kind' in outcome)) throw new Error('nobody was let in');
  return outcome;
}

function problemOf(outcome: AuthenticationOutcome | Promise<AuthenticationOutcome>): Problem {
  if (!(outcome instanceof Problem)) throw new Error('it was not denied');
  return outcome;
}
