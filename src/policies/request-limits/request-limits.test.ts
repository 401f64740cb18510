import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import type { RequestHead } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { requestLimitsConfig } from './config.ts';
import { requestLimitsPolicy } from './request-limits.ts';

test('an ordinary request passes', () => {
  assert.equal(refusal({}, {}), undefined);
  assert.equal(
    refusal({}, { method: 'POST', bodyLength: 2, headers: new HeaderList(['Content-Type', 'application/json']) }),
    undefined,
  );
});

test('it is on where the file does not mention it', () => {
  assert.equal(requestLimitsPolicy.onByDefault(publicRoute), true);
});

test('a body that is declared too long is refused before a byte of it is read', () => {
  assert.equal(refusal({ bodyBytes: '1KiB' }, { bodyLength: 1024 }), undefined);
  const problem = refusal({ bodyBytes: '1KiB' }, { bodyLength: 1025 });
  assert.equal(problem?.code, 'body-too-large');
  assert.equal(problem?.detail, 'The body may have 1KiB.');
  assert.equal(refusal({ bodyBytes: 0 }, { bodyLength: 0 }), undefined);
  assert.equal(refusal({ bodyBytes: 0 }, { bodyLength: 1 })?.code, 'body-too-large');
});

test('the default takes 10 MiB', () => {
  assert.equal(refusal({}, { bodyLength: 10 * 1024 * 1024 }), undefined);
  assert.equal(refusal({}, { bodyLength: 10 * 1024 * 1024 + 1 })?.status, 413);
});

test('a chunked body gets the limit it is cut off at', () => {
  const exchange = testExchange({ bodyLength: undefined });
  assert.equal(exchange.bodyLimit, Number.POSITIVE_INFINITY);
  requestLimitsPolicy.compile(requestLimitsConfig.parse({ bodyBytes: '2MiB' }), publicRoute)?.request?.(exchange);
  assert.equal(exchange.bodyLimit, 2 * 1024 * 1024);
});

test('path and query count together, the question mark too', () => {
  const target = (path: string, query: string | undefined) => ({ target: { path, query, encodedDelimiters: false } });
  assert.equal(refusal({ targetBytes: 10 }, target('/123456789', undefined)), undefined);
  assert.equal(refusal({ targetBytes: 10 }, target('/1234', '6789')), undefined);
  assert.equal(refusal({ targetBytes: 10 }, target('/1234', '67890'))?.code, 'target-too-long');
  assert.equal(refusal({ targetBytes: 10 }, target('/123456789', ''))?.status, 414);
});

test('attack 2: encoded delimiters are ambiguous unless the route opts in', () => {
  const head = { target: { path: '/files/a%2Fb', query: undefined, encodedDelimiters: true } };
  assert.equal(refusal({}, head)?.code, 'ambiguous-target');
  assert.equal(refusal({ allowEncodedDelimiters: true }, head), undefined);
});

test('a single known content coding passes unopened', () => {
  for (const coding of ['gzip', 'GZIP', 'x-gzip', 'deflate', 'br', 'zstd', 'identity', ' gzip ']) {
    assert.equal(refusal({}, coded(coding)), undefined, coding);
  }
});

test('attack 28: chained and unknown content codings are refused, with what is taken', () => {
  const chains = [
    ['gzip, gzip'],
    ['gzip', 'gzip'],
    ['identity, gzip'],
    ['gzip,'],
    [',gzip'],
    ['compress'],
    ['gzip;q=1'],
    [''],
    ['gz\tip'],
    ['__proto__'],
  ];
  for (const values of chains) {
    const problem = refusal({}, coded(...values));
    assert.equal(problem?.code, 'unsupported-encoding', JSON.stringify(values));
    assert.equal(problem?.status, 415);
    assert.deepEqual(problem?.headers, ['Accept-Encoding', 'gzip, deflate, br, zstd']);
  }
});

test('content codings can be narrowed down to none', () => {
  assert.equal(refusal({ contentEncodings: ['gzip'] }, coded('br'))?.status, 415);
  assert.equal(refusal({ contentEncodings: [] }, coded('identity')), undefined);
  const problem = refusal({ contentEncodings: [] }, coded('gzip'));
  assert.deepEqual(problem?.headers, ['Accept-Encoding', 'identity']);
});

test('other methods than the listed are refused, with the list', () => {
  assert.equal(refusal({ methods: ['GET', 'POST'] }, { method: 'POST' }), undefined);
  for (const method of ['DELETE', 'HEAD', 'get', 'TRACE', 'constructor']) {
    const problem = refusal({ methods: ['GET', 'POST'] }, { method });
    assert.equal(problem?.code, 'method-not-allowed', method);
    assert.deepEqual(problem?.headers, ['Allow', 'GET, POST']);
  }
});

test('settings without sense are faults', () => {
  const faults: readonly object[] = [
    { bodyBytes: '10 MiB' },
    { bodyBytes: -1 },
    { bodyBytes: '10mb' },
    { targetBytes: 0 },
    { contentEncodings: ['compress'] },
    { methods: [] },
    { methods: ['post'] },
    { maxBody: '1MiB' },
  ];
  for (const config of faults)
    assert.equal(requestLimitsConfig.safeParse(config).success, false, JSON.stringify(config));
});

function coded(...values: string[]): Partial<RequestHead> {
  return { method: 'POST', headers: new HeaderList(values.flatMap((value) => ['Content-Encoding', value])) };
}

function refusal(config: object, head: Partial<RequestHead>): Problem | undefined {
  const policy = requestLimitsPolicy.compile(requestLimitsConfig.parse(config), publicRoute);
  const outcome = policy?.request?.(testExchange(head));
  assert.ok(outcome === undefined || outcome instanceof Problem);
  return outcome;
}
