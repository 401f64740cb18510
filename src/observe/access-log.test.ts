import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Problem } from '../errors/problem.ts';
import { type Exchange, Reply, type RequestHead } from '../exchange.ts';
import { HeaderList } from '../lib/header-list.ts';
import { testExchange, testPrincipal } from '../policies/test-exchange.ts';
import { type AccessLogOptions, createAccessLog } from './access-log.ts';
import { createLog, type LogOptions } from './log.ts';
import { startTrace } from './trace-context.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-access-'));
after(() => rmSync(directory, { recursive: true }));

interface Told {
  readonly exchange: Exchange;
  readonly reply: Reply | undefined;
}
type Line = ReturnType<typeof JSON.parse>;

async function linesOf(
  told: readonly Told[],
  options: Partial<AccessLogOptions> = {},
  logOptions: Partial<LogOptions> = {},
): Promise<Line[]> {
  const path = join(directory, `${Math.random()}.log`);
  const log = createLog({ level: 'info', format: 'json', destination: path, ...logOptions });
  const logExchange = createAccessLog(log, { enabled: true, sample: 1, redactQuery: ['token', 'code'], ...options });
  for (const { exchange, reply } of told) logExchange(exchange, reply);
  await log.close();
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text));
}

async function lineOf(told: Told, logOptions: Partial<LogOptions> = {}): Promise<Line> {
  const [line, ...more] = await linesOf([told], {}, logOptions);
  assert.deepEqual(more, []);
  return line;
}

function answered(status: number, head: Partial<RequestHead> = {}): Told {
  return { exchange: testExchange(head), reply: new Reply(status, new HeaderList([]), undefined, 'upstream') };
}

function refused(problem: Problem): Told {
  const told = { exchange: testExchange(), reply: new Reply(problem.status, new HeaderList([]), undefined, 'gateway') };
  told.reply.problem = problem;
  told.exchange.internalDetail = problem.internal;
  return told;
}

/** An exchange of which everything is known. */
function complete(): Told {
  const told = answered(502, {
    target: { path: '/v1/widgets/7', query: 'a=1&token=s3cret', encodedDelimiters: false },
    headers: new HeaderList(['User-Agent', 'curl/8', 'Referer', 'https://app.example.com/?code=s3cret']),
    tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', servername: undefined, clientCertificate: undefined },
  });
  const { exchange, reply } = told;
  exchange.route = { api: 'widgets', name: 'one-widget' };
  exchange.principal = testPrincipal({ id: 'joe' });
  exchange.trace = startTrace(undefined, undefined, 1);
  exchange.upstreamTarget = 'http://10.0.0.11:4000';
  exchange.upstreamHeadAfter = 1.23456;
  exchange.requestBytes = 12;
  exchange.replyBytes = 34;
  exchange.deniedBy = 'requestLimits';
  exchange.aborted = true;
  exchange.internalDetail = 'the upstream answered: Bearer s3cret-s3cret';
  if (reply !== undefined) reply.problem = new Problem('bad-gateway');
  return told;
}

test('a line tells all that is known of an exchange', async () => {
  const told = complete();
  const { time, ms, ...line } = await lineOf(told);
  assert.equal(new Date(time).toISOString(), time);
  assert.equal(typeof ms, 'number');
  assert.deepEqual(line, {
    level: 'warn',
    requestId: '01K0000000TESTTESTTESTTEST',
    client: '192.0.2.7',
    method: 'GET',
    scheme: 'https',
    host: 'api.example.com',
    path: '/v1/widgets/7',
    query: 'a=1&token=[redacted]',
    status: 502,
    listener: 'public',
    api: 'widgets',
    route: 'one-widget',
    upstreamMs: 1.235,
    upstream: 'http://10.0.0.11:4000',
    bytesIn: 12,
    bytesOut: 34,
    http: '1.1',
    tls: 'TLSv1.3',
    agent: 'curl/8',
    referer: 'https://app.example.com/?code=[redacted]',
    principal: 'joe',
    deniedBy: 'requestLimits',
    problem: 'bad-gateway',
    traceId: told.exchange.trace?.traceId,
    aborted: true,
    detail: 'the upstream answered: Bearer [redacted]',
    msg: 'request',
  });
});

test('what is not known is left out', async () => {
  const line = await lineOf(answered(200));
  for (const name of [
    'query',
    'upstream',
    'upstreamMs',
    'tls',
    'agent',
    'referer',
    'principal',
    'deniedBy',
    'problem',
    'traceId',
    'aborted',
    'detail',
    'api',
  ]) {
    assert.ok(!(name in line), name);
  }
});

// Of https://www.elastic.co/guide/en/ecs/8.10/ecs-field-reference.html: the fields we write, with their types.
const ECS_FIELDS: Readonly<Record<string, 'keyword' | 'long' | 'ip' | 'date'>> = {
  '@timestamp': 'date',
  'log.level': 'keyword',
  message: 'keyword',
  'ecs.version': 'keyword',
  'service.name': 'keyword',
  'process.pid': 'long',
  'host.hostname': 'keyword',
  'event.dataset': 'keyword',
  'event.kind': 'keyword',
  'event.category': 'keyword',
  'event.type': 'keyword',
  'event.duration': 'long',
  'event.outcome': 'keyword',
  'http.version': 'keyword',
  'http.request.id': 'keyword',
  'http.request.method': 'keyword',
  'http.request.referrer': 'keyword',
  'http.request.body.bytes': 'long',
  'http.response.status_code': 'long',
  'http.response.body.bytes': 'long',
  'url.scheme': 'keyword',
  'url.domain': 'keyword',
  'url.path': 'keyword',
  'url.query': 'keyword',
  'client.ip': 'ip',
  'user.id': 'keyword',
  'user_agent.original': 'keyword',
  'tls.version': 'keyword',
  'tls.version_protocol': 'keyword',
  'tls.cipher': 'keyword',
  'trace.id': 'keyword',
  'span.id': 'keyword',
  'error.code': 'keyword',
  'error.message': 'keyword',
};

test('an ECS line has the fields and types of the schema, its own under sallyport, and every fact', async () => {
  const line = await lineOf(complete(), { format: 'ecs' });
  const fields = flatten(line);
  for (const [name, value] of fields) {
    if (name.startsWith('sallyport.')) continue;
    const type = ECS_FIELDS[name];
    assert.notEqual(type, undefined, `${name} is no field of the schema`);
    if (type === 'long') assert.ok(Number.isSafeInteger(value), `${name} is ${value}`);
    if (type === 'date') assert.equal(new Date(String(value)).toISOString(), value);
  }
  assert.deepEqual(
    [...Object.keys(ECS_FIELDS)].filter((name) => !fields.has(name)),
    [],
  );
  assert.deepEqual(fields.get('event.category'), ['web']);
  assert.equal(fields.get('event.outcome'), 'failure');
  assert.equal(fields.get('tls.version'), '1.3');
  assert.equal(fields.get('url.query'), 'a=1&token=[redacted]');
  assert.equal(fields.get('error.message'), 'the upstream answered: Bearer [redacted]');
  assert.equal(fields.get('sallyport.upstream'), 'http://10.0.0.11:4000');
  assert.doesNotMatch(JSON.stringify(line), /s3cret/);
});

test('no line holds a cookie, a credential, or a token in the path', async () => {
  const told = answered(500, {
    target: {
      path: '/reset/eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.s3cret',
      query: '%74oken=s3cret&next=https://joe:s3cret@x/',
      encodedDelimiters: false,
    },
    headers: new HeaderList([
      'Authorization',
      'Bearer s3cret',
      'Cookie',
      'sid=s3cret',
      'X-Api-Key',
      's3cret',
      'Referer',
      'https://joe:s3cret@x/?token=s3cret',
    ]),
  });
  told.exchange.internalDetail = `${'x'.repeat(900)} Cookie: a=s3cret${'t'.repeat(9000)}`;
  for (const format of ['json', 'ecs'] as const)
    assert.doesNotMatch(JSON.stringify(await lineOf(told, { format })), /s3cret/);
});

test('a credential is not half shown because a long text was cut within it', async () => {
  const told = answered(500);
  for (let before = 1000; before < 1024; before += 1) {
    told.exchange.internalDetail = `${'.'.repeat(before)}//joe:s3cret-s3cret@host/`;
    assert.doesNotMatch((await lineOf(told)).detail, /s3/);
  }
});

test('a line fits into one write of a pipe, whatever the client sends', async () => {
  const nasty = '"\\\u00ff'.repeat(3000);
  const told = answered(500, {
    method: 'M'.repeat(5000),
    authority: `${'a.'.repeat(3000)}b`,
    host: `${'a.'.repeat(3000)}b`,
    target: { path: `/${'%20'.repeat(3000)}`, query: nasty, encodedDelimiters: false },
    headers: new HeaderList(['User-Agent', nasty, 'Referer', nasty]),
  });
  told.exchange.internalDetail = nasty;
  for (const format of ['json', 'ecs'] as const) {
    const line = await lineOf(told, { format });
    assert.ok(JSON.stringify(line).length < 4096);
    assert.equal(format === 'json' ? line.requestId : line.http.request.id, told.exchange.id);
  }
});

test('failures of the gateway and of upstreams are warnings, what a client did wrong is not', async () => {
  const lines = await linesOf([
    refused(new Problem('internal-error', { internal: 'TypeError' })),
    refused(new Problem('bad-gateway')),
    answered(503),
    refused(new Problem('bad-request', { internal: 'two lengths' })),
    answered(404),
    answered(200),
    { exchange: testExchange(), reply: undefined },
  ]);
  assert.deepEqual(
    lines.map(({ level, status }) => [level, status]),
    [
      ['warn', 500],
      ['warn', 502],
      ['warn', 503],
      ['info', 400],
      ['info', 404],
      ['info', 200],
      ['warn', undefined],
    ],
  );
});

test('with the access log off, only failures and what has something to tell are written', async () => {
  const told = [
    answered(200),
    answered(404),
    answered(500),
    refused(new Problem('bad-request', { internal: 'two lengths' })),
  ];
  assert.deepEqual(
    (await linesOf(told, { enabled: false })).map(({ status }) => status),
    [500, 400],
  );
});

test('sampling leaves out successes only', async () => {
  const many = [200, 304, 404, 502].flatMap((status) => Array.from({ length: 2000 }, () => answered(status)));
  const count = (lines: readonly Line[], status: number): number =>
    lines.filter((line) => line.status === status).length;
  const tenth = await linesOf(many, { sample: 0.1 });
  assert.equal(count(tenth, 404), 2000);
  assert.equal(count(tenth, 502), 2000);
  const successes = count(tenth, 200) + count(tenth, 304);
  assert.ok(successes > 200 && successes < 600, String(successes)); // 400 are expected; ten standard deviations
  const none = await linesOf(many, { sample: 0 });
  assert.equal(count(none, 200) + count(none, 304), 0);
  assert.equal(none.length, 4000);
});

test('a level above info silences the access log but for failures', async () => {
  assert.deepEqual(
    (await linesOf([answered(200), answered(404), answered(500)], {}, { level: 'warn' })).map(({ status }) => status),
    [500],
  );
  assert.deepEqual(await linesOf([answered(200), answered(500)], {}, { level: 'error' }), []);
});

/** Dotted names and their values; ECS allows both forms. */
function flatten(value: object, prefix = ''): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === 'object' && member !== null && !Array.isArray(member)) {
      for (const [inner, leaf] of flatten(member, `${prefix}${name}.`)) fields.set(inner, leaf);
    } else fields.set(prefix + name, member);
  }
  return fields;
}
