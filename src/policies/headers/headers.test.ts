import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reply } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { publicRoute, testExchange, upstreamReply } from '../test-exchange.ts';
import { headersConfig } from './config.ts';
import { headersPolicy } from './headers.ts';

test('fields of the request are set and removed for the upstream', () => {
  const exchange = testExchange();
  const config = {
    request: { set: { 'X-Tenant': 'blue', Authorization: 'Bearer s3cret' }, remove: ['Cookie', 'X-Internal'] },
  };
  const policy = compiled(config);
  policy?.request?.(exchange);
  assert.deepEqual(exchange.upstreamHeaders.set.raw, ['X-Tenant', 'blue', 'Authorization', 'Bearer s3cret']);
  assert.deepEqual(exchange.upstreamHeaders.remove, ['cookie', 'x-internal']);
  assert.equal(policy?.reply, undefined);
});

test('a field that an earlier policy set for the upstream is replaced, whatever its case', () => {
  const exchange = testExchange();
  exchange.upstreamHeaders.set.set('x-tenant', 'red');
  compiled({ request: { set: { 'X-Tenant': 'blue' } } })?.request?.(exchange);
  assert.deepEqual(exchange.upstreamHeaders.set.raw, ['X-Tenant', 'blue']);
});

test('one request does not see the edits of another', () => {
  const policy = compiled({ request: { set: { A: '1' }, remove: ['B'] } });
  for (const exchange of [testExchange(), testExchange()]) {
    policy?.request?.(exchange);
    assert.deepEqual(exchange.upstreamHeaders.set.raw, ['A', '1']);
    assert.deepEqual(exchange.upstreamHeaders.remove, ['b']);
  }
});

test('fields of the reply are set and removed for the client', () => {
  const config = { reply: { set: { 'Cache-Control': 'no-store', 'X-New': '1' }, remove: ['X-Backend'] } };
  const upstream = [
    'cache-control',
    'public',
    'X-BACKEND',
    'a',
    'Cache-Control',
    'max-age=9',
    'x-backend',
    'b',
    'ETag',
    '"c"',
  ];
  assert.deepEqual(edited(config, upstreamReply(200, upstream)), [
    'Cache-Control',
    'no-store',
    'ETag',
    '"c"',
    'X-New',
    '1',
  ]);
  assert.equal(compiled(config)?.request, undefined);
});

test('a field both removed and set is set', () => {
  assert.deepEqual(edited({ reply: { set: { A: '2' }, remove: ['A'] } }, upstreamReply(200, ['a', '1', 'a', '1'])), [
    'A',
    '2',
  ]);
});

test('problems of the gateway get the fields too', () => {
  const reply = new Reply(502, new HeaderList([]), undefined, 'gateway');
  assert.deepEqual(edited({ reply: { set: { 'X-Contact': 'ops' } } }, reply), ['X-Contact', 'ops']);
});

test('without edits the policy asks for nothing', () => {
  assert.equal(compiled({}), undefined);
  assert.equal(compiled({ request: { set: {}, remove: [] } }), undefined);
});

test('an empty value is a value', () => {
  assert.deepEqual(edited({ reply: { set: { 'X-Empty': '' } } }, upstreamReply(200, [])), ['X-Empty', '']);
});

test('attacks 16 and 23: values that could end the field or be read in two ways are faults', () => {
  for (const value of [
    'a\r\nX-Evil: 1',
    'a\nb',
    'a\rb',
    'a\0b',
    ' a',
    'a ',
    '\ta',
    'a\x7fb',
    'café',
    'a\u{1f600}',
    '\u010d\u010a',
  ]) {
    const issue = firstIssue({ request: { set: { 'X-Value': value } } });
    assert.match(issue.message, /cannot hold/, JSON.stringify(value));
    assert.deepEqual(issue.path, ['request', 'set', 'X-Value']);
  }
});

test('the fault of a value does not repeat it: it may be a secret', () => {
  const outcome = headersConfig.safeParse(
    { request: { set: { Authorization: 'Bearer s3cret\n' } } },
    { reportInput: true },
  );
  assert.equal(outcome.success, false);
  assert.doesNotMatch(JSON.stringify(outcome.error?.issues), /s3cret/);
});

test('names that are none are faults', () => {
  for (const name of ['', 'X Y', 'X:Y', 'X\r\nY', 'Ünicode', 'X-*']) {
    assert.match(
      firstIssue({ reply: { set: { [name]: '1' } } }).message,
      /is not a header field name/,
      JSON.stringify(name),
    );
    assert.match(firstIssue({ reply: { remove: [name] } }).message, /is not a header field name/, JSON.stringify(name));
  }
});

test('a field set twice in two cases is a fault', () => {
  assert.match(firstIssue({ reply: { set: { 'X-A': '1', 'x-a': '2' } } }).message, /is set twice/);
});

test('attacks 14 and 18: fields of the connection and of framing cannot be touched on either side', () => {
  const names = [
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Proxy-Connection',
    'Content-Length',
    'CONTENT-LENGTH',
  ];
  for (const name of [...names, 'Proxy-Authorization', 'HTTP2-Settings', 'Expect']) {
    for (const side of ['request', 'reply']) {
      assert.match(firstIssue({ [side]: { set: { [name]: 'x' } } }).message, /belongs to the connection/, name);
      assert.match(firstIssue({ [side]: { remove: [name] } }).message, /belongs to the connection/, name);
    }
  }
});

test('fields the gateway makes for the upstream cannot be set or removed: there would be two of them', () => {
  for (const name of [
    'Host',
    'Forwarded',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'Via',
    'X-Request-Id',
    'traceparent',
    'tracestate',
  ]) {
    assert.match(firstIssue({ request: { set: { [name]: 'x' } } }).message, /made by the gateway/, name);
    assert.match(firstIssue({ request: { remove: [name] } }).message, /made by the gateway/, name);
  }
});

test('reply fields another policy has the last word on can be removed, not set', () => {
  const owners: Readonly<Record<string, string>> = {
    'Access-Control-Allow-Origin': 'configure `cors` instead',
    'Strict-Transport-Security': 'configure `securityHeaders.strictTransportSecurity` instead',
    'X-Content-Type-Options': 'configure `securityHeaders.noSniff` instead',
  };
  for (const [name, hint] of Object.entries(owners)) {
    const issue = firstIssue({ reply: { set: { [name]: 'x' } } });
    assert.equal(issue.code === 'custom' && issue.params?.['hint'], hint);
    assert.equal(headersConfig.safeParse({ reply: { remove: [name] } }).success, true, name);
  }
});

test('all faults are reported at once', () => {
  const config = {
    request: { set: { Host: 'a', 'X Y': 'b' }, remove: ['TE'] },
    reply: { remove: ['Upgrade'] },
    repply: {},
  };
  const paths = headersConfig.safeParse(config).error?.issues.map((issue) => issue.path.join('.'));
  assert.deepEqual(paths?.sort(), ['', 'reply.remove.0', 'request.remove.0', 'request.set.Host', 'request.set.X Y']);
});

function compiled(config: object) {
  return headersPolicy.compile(headersConfig.parse(config), publicRoute);
}

function edited(config: object, reply: Reply): readonly string[] {
  compiled(config)?.reply?.(testExchange(), reply);
  return reply.headers.raw;
}

function firstIssue(config: object) {
  const [issue] = headersConfig.safeParse(config).error?.issues ?? [];
  assert.ok(issue !== undefined, JSON.stringify(config));
  return issue;
}
