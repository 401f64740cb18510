import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import { Reply } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { respond } from '../../respond/respond.ts';
import { publicRoute, RecordingStream, RecordingWire, testExchange, upstreamReply } from '../test-exchange.ts';
import { errorMaskingConfig } from './config.ts';
import { errorMaskingPolicy } from './error-masking.ts';

const LEAK = 'Error: connect ECONNREFUSED 10.0.0.5:5432 at /srv/app/db.js:12';

test('it is on for public APIs only', () => {
  assert.equal(errorMaskingPolicy.onByDefault(publicRoute), true);
  assert.equal(errorMaskingPolicy.onByDefault({ ...publicRoute, exposure: 'internal' }), false);
});

test('what a failing upstream says becomes a generic problem under its own status', async () => {
  for (const status of [500, 501, 502, 503, 504, 599]) {
    const written = await send({}, upstreamReply(status, ['Content-Type', 'text/html'], LEAK));
    assert.equal(written.status, status);
    const problem = JSON.parse(written.text);
    assert.equal(problem.code, 'upstream-error');
    assert.equal(problem.status, status);
    assert.equal(written.headers.get('content-type'), 'application/problem+json');
    assert.equal(written.headers.get('content-length'), String(Buffer.byteLength(written.text)));
    assert.doesNotMatch(written.text, /ECONNREFUSED|srv/);
  }
});

test('the upstream’s stream is cancelled, so that its connection is freed', () => {
  const body = new RecordingStream();
  const reply = upstreamReply(500, [], body);
  mask({}, reply);
  assert.equal(body.cancelled, true);
  assert.equal(reply.body, undefined);
  assert.equal(reply.source, 'gateway');
  assert.equal(reply.problem?.code, 'upstream-error');
});

test('nothing that described the old body, or tells of the inside, is left in the head', async () => {
  const headers = [
    ...['Content-Type', 'text/html', 'Content-Length', '9999', 'Content-Encoding', 'gzip', 'Content-Language', 'en'],
    ...[
      'Content-Disposition',
      'attachment',
      'Content-Range',
      'bytes 0-1/2',
      'Content-Location',
      '/x',
      'Accept-Ranges',
      'bytes',
    ],
    ...[
      'ETag',
      '"a"',
      'Last-Modified',
      'Mon, 01 Jan 2024 00:00:00 GMT',
      'Cache-Control',
      'public, max-age=600',
      'Expires',
      '0',
      'Age',
      '5',
    ],
    ...[
      'X-Debug-Token',
      'a',
      'X-Error',
      LEAK,
      'X-Powered-By',
      'b',
      'Server-Timing',
      'db;dur=53',
      'Set-Cookie',
      'c=d',
      'X-Unheard-Of',
      LEAK,
    ],
    ...['RETRY-AFTER', '30', 'Trailer', 'X-Sum', 'Content-Digest', 'sha-256=:e:'],
  ];
  const written = await send({}, upstreamReply(503, headers, LEAK));
  const names = written.headers.raw.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  assert.deepEqual(names.sort(), ['cache-control', 'content-length', 'content-type', 'retry-after', 'x-request-id']);
  assert.equal(written.headers.get('retry-after'), '30');
  assert.equal(written.headers.get('cache-control'), 'no-store');
});

test('the log gets the facts, without the body', () => {
  const exchange = testExchange();
  mask({}, upstreamReply(500, ['content-type', 'text/html', 'Content-Length', '5120'], LEAK), exchange);
  assert.equal(exchange.internalDetail, 'the upstream answered 500 (text/html, 5120 bytes)');
  mask({}, upstreamReply(502, []), exchange);
  assert.equal(exchange.internalDetail, 'the upstream answered 502');
});

test('a fact the upstream wrote is kept short', () => {
  const exchange = testExchange();
  mask({}, upstreamReply(500, ['Content-Type', 'x'.repeat(10_000)]), exchange);
  assert.ok((exchange.internalDetail?.length ?? 0) < 200);
});

test('the facts win over what cancelling the stream notes', () => {
  const exchange = testExchange();
  const body = new RecordingStream();
  body.cancel = () => {
    exchange.internalDetail = 'the reply is no longer wanted';
  };
  mask({}, upstreamReply(500, [], body), exchange);
  assert.equal(exchange.internalDetail, 'the upstream answered 500');
});

test('a reply to HEAD is masked as well', async () => {
  const exchange = testExchange({ method: 'HEAD' });
  const reply = upstreamReply(500, ['Content-Length', '9999', 'X-Error', LEAK], new RecordingStream());
  const written = await send({}, reply, exchange);
  assert.equal(written.status, 500);
  assert.equal(written.headers.all('content-length').length, 1);
  assert.notEqual(written.headers.get('content-length'), '9999');
  assert.equal(written.headers.has('x-error'), false);
});

test('replies below 500 pass, without the fields that leak', () => {
  const body = new RecordingStream();
  for (const status of [101, 200, 204, 302, 400, 404, 499]) {
    const reply = upstreamReply(
      status,
      ['Content-Type', 'text/html', 'x-debug-token', 'a', 'X-ERROR', 'b', 'X-Exception-Class', 'c'],
      body,
    );
    mask({}, reply);
    assert.deepEqual(reply.headers.raw, ['Content-Type', 'text/html'], String(status));
    assert.equal(reply.body, body);
    assert.equal(reply.problem, undefined);
    assert.equal(reply.source, 'upstream');
  }
  assert.equal(body.cancelled, false);
});

test('chosen statuses pass as the upstream wrote them, without the fields that leak', () => {
  const reply = upstreamReply(503, ['Content-Type', 'text/html', 'X-Debug', 'a'], 'maintenance until noon');
  mask({ passStatuses: [503] }, reply);
  assert.equal(reply.body, 'maintenance until noon');
  assert.deepEqual(reply.headers.raw, ['Content-Type', 'text/html']);
  const other = upstreamReply(500, [], LEAK);
  mask({ passStatuses: [503] }, other);
  assert.equal(other.body, undefined);
});

test('problems of the gateway are left alone', () => {
  const exchange = testExchange();
  const reply = new Reply(502, new HeaderList(['X-Debug', 'ours']), undefined, 'gateway');
  reply.problem = new Problem('bad-gateway');
  mask({}, reply, exchange);
  assert.equal(reply.problem.code, 'bad-gateway');
  assert.deepEqual(reply.headers.raw, ['X-Debug', 'ours']);
  assert.equal(exchange.internalDetail, undefined);
});

test('the fields to keep and to hide can be chosen', () => {
  const kept = upstreamReply(500, ['Retry-After', '1', 'X-RateLimit-Reset', '2', 'X-Other', '3'], LEAK);
  mask({ keepHeaders: ['X-RateLimit-Reset'] }, kept);
  assert.deepEqual(kept.headers.raw, ['X-RateLimit-Reset', '2']);

  const hidden = upstreamReply(200, [
    'X-Debug',
    '1',
    'X-Internal-Node',
    '2',
    'X-Internal',
    '3',
    'X-Trace',
    '4',
    'X-Traces',
    '5',
  ]);
  mask({ hideHeaders: ['X-Internal*', 'X-Trace'] }, hidden);
  assert.deepEqual(hidden.headers.raw, ['X-Debug', '1', 'X-Traces', '5']);
});

test('settings without sense are faults', () => {
  const faults: readonly object[] = [
    { passStatuses: [404] },
    { passStatuses: [600] },
    { passStatuses: ['503'] },
    { hideHeaders: ['*'] },
    { hideHeaders: ['X-*-Debug'] },
    { hideHeaders: ['X Debug'] },
    { keepHeaders: ['Content-Length'] },
    { keepHeaders: ['content-encoding'] },
    { keepHeaders: ['ETag'] },
    { keepHeaders: ['Transfer-Encoding'] },
    { mask: true },
  ];
  for (const config of faults)
    assert.equal(errorMaskingConfig.safeParse(config).success, false, JSON.stringify(config));
});

function mask(config: object, reply: Reply, exchange = testExchange()): void {
  errorMaskingPolicy.compile(errorMaskingConfig.parse(config), publicRoute)?.reply?.(exchange, reply);
}

/** What a client gets: the reply after the policy, written by the real respond room. */
async function send(config: object, reply: Reply, exchange = testExchange()): Promise<RecordingWire> {
  mask(config, reply, exchange);
  await respond(exchange, reply);
  assert.ok(exchange.wire instanceof RecordingWire);
  return exchange.wire;
}
