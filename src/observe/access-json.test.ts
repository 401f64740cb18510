import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, mock, test } from 'node:test';
import fc from 'fast-check';
import { catalogue, type ProblemCode } from '../errors/catalogue.ts';
import { Problem } from '../errors/problem.ts';
import { type Exchange, Reply } from '../exchange.ts';
import { HeaderList } from '../lib/header-list.ts';
import { testExchange, testPrincipal } from '../policies/test-exchange.ts';
import { createAccessLog } from './access-log.ts';
import { createLog } from './log.ts';
import { createQueryRedactor, redactText } from './redact.ts';

/** The line that is written by hand is held to the one that pino and `wholeLine` make of an object with the same facts. */

const OPTIONS = { enabled: true, sample: 1, redactQuery: ['token', 'code'] };
const redactQuery = createQueryRedactor(OPTIONS.redactQuery);
/** What `performance.now()` says. */
let clockMs = 0;
const directory = mkdtempSync(join(tmpdir(), 'sallyport-access-json-'));

before(() => {
  mock.method(Date, 'now', () => Date.UTC(2026, 10, 24));
  mock.method(performance, 'now', () => clockMs);
});
after(() => {
  mock.restoreAll();
  rmSync(directory, { recursive: true });
});

interface Told {
  readonly exchange: Exchange;
  readonly reply: Reply | undefined;
}

test('the line of any exchange is, byte for byte, what pino makes of its facts', async () => {
  await fc.assert(
    fc.asyncProperty(told(), async ({ exchange, reply }) => {
      const line = await written((log) => createAccessLog(log, OPTIONS)(exchange, reply));
      const level = JSON.parse(line).level as 'info' | 'warn'; // access-log.test.ts holds it to the exchange
      assert.equal(line, await written((log) => log[level](factsOf(exchange, reply), 'request')));
      assert.match(line, /^[\x20-\x7e]{1,4095}\n$/);
    }),
    { numRuns: 600 },
  );
});

test('a line that is too long is cut where pino and wholeLine cut it', async () => {
  const long = '"\\\u00ff\ud800'.repeat(3000);
  const headers = new HeaderList(['User-Agent', long, 'Referer', long]);
  const exchange = testExchange({
    method: long,
    headers,
    target: { path: long, query: long, encodedDelimiters: false },
  });
  exchange.internalDetail = long;
  const line = await written((log) => createAccessLog(log, OPTIONS)(exchange, undefined));
  assert.ok(line.length <= 4096);
  assert.equal(line, await written((log) => log.warn(factsOf(exchange, undefined), 'request')));
});

async function written(write: (log: ReturnType<typeof createLog>) => void): Promise<string> {
  const path = join(directory, 'line.log');
  rmSync(path, { force: true });
  const log = createLog({ level: 'info', format: 'json', destination: path });
  write(log);
  await log.close();
  return readFileSync(path, 'latin1');
}

/** Exchanges with anything in them that a type lets through. */
function told(): fc.Arbitrary<Told> {
  const text = fc.oneof(
    { weight: 10, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
    {
      weight: 10,
      arbitrary: fc.string({
        unit: fc.constantFrom('"', '\\', '\n', '\u0000', '\u007f', '\ud800', '\udc00', '\u2028', 'é', 'a'),
        maxLength: 40,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.string({ unit: fc.constantFrom('a', '"', '\u202e', '🎉'), minLength: 500, maxLength: 2000 }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', 'token=s3cret&a=1', 'https://joe:s3cret@x/?code=1', 'Bearer s3cret-s3cret'),
    },
  );
  const perhaps = fc.option(text, { nil: undefined });
  const count = fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER));
  const facts = fc.record({
    startedAt: fc.double({ min: 0, max: 1e7, noNaN: true }),
    id: fc.stringMatching(/^[A-Za-z0-9._~-]{8,128}$/),
    clientAddress: fc.oneof(fc.ipV4(), fc.ipV6()),
    method: fc.oneof(fc.constantFrom('GET', 'QUERY'), text),
    scheme: fc.constantFrom('http', 'https'),
    httpVersion: fc.constantFrom('1.0', '1.1', '2'),
    authority: text,
    path: text,
    query: perhaps,
    listener: text,
    route: fc.option(fc.record({ api: text, name: text }), { nil: undefined }),
    status: fc.option(fc.integer({ min: 100, max: 999 }), { nil: undefined }),
    upstreamHeadAfter: fc.oneof(fc.constant(-1), fc.double({ min: 0, max: 1e7, noNaN: true })),
    upstream: perhaps,
    requestBytes: count,
    replyBytes: count,
    tls: fc.constantFrom(undefined, 'TLSv1.2', 'TLSv1.3', 'unknown'),
    agent: perhaps,
    referer: perhaps,
    principal: perhaps,
    deniedBy: perhaps,
    problem: fc.option(fc.constantFrom(...(Object.keys(catalogue) as ProblemCode[])), { nil: undefined }),
    traceId: fc.option(fc.stringMatching(/^[0-9a-f]{32}$/), { nil: undefined }),
    aborted: fc.boolean(),
    detail: perhaps,
  });
  return facts.map((given) => {
    const { agent, referer } = given;
    clockMs = given.startedAt;
    const exchange = testExchange({
      id: given.id,
      clientAddress: given.clientAddress,
      method: given.method,
      scheme: given.scheme,
      httpVersion: given.httpVersion,
      authority: given.authority,
      target: { path: given.path, query: given.query, encodedDelimiters: false },
      listener: { name: given.listener, exposure: 'public' },
      headers: new HeaderList([
        ...(agent === undefined ? [] : ['User-Agent', agent]),
        ...(referer === undefined ? [] : ['Referer', referer]),
      ]),
      tls:
        given.tls === undefined
          ? undefined
          : { protocol: given.tls, cipher: '', servername: undefined, clientCertificate: undefined },
    });
    clockMs = 1e7;
    exchange.route = given.route;
    exchange.upstreamHeadAfter = given.upstreamHeadAfter;
    exchange.upstreamTarget = given.upstream;
    exchange.requestBytes = given.requestBytes;
    exchange.replyBytes = given.replyBytes;
    exchange.principal = given.principal === undefined ? undefined : testPrincipal({ id: given.principal });
    exchange.deniedBy = given.deniedBy;
    exchange.trace =
      given.traceId === undefined
        ? undefined
        : { traceId: given.traceId, spanId: '', parentSpanId: undefined, sampled: true, traceState: undefined };
    exchange.aborted = given.aborted;
    exchange.internalDetail = given.detail;
    if (given.status === undefined) return { exchange, reply: undefined };
    const reply = new Reply(given.status, new HeaderList([]), undefined, 'upstream');
    reply.problem = given.problem === undefined ? undefined : new Problem(given.problem);
    return { exchange, reply };
  });
}

function factsOf(exchange: Exchange, reply: Reply | undefined): object {
  const { target, headers } = exchange;
  const agent = headers.get('user-agent');
  const referer = headers.get('referer');
  const detail = exchange.internalDetail;
  // Undefined members are left out of the line.
  return {
    requestId: exchange.id,
    client: exchange.clientAddress,
    method: cut(exchange.method, 512),
    scheme: exchange.scheme,
    host: cut(exchange.authority, 512),
    path: cut(redactText(target.path), 512),
    query: target.query === undefined ? undefined : cut(redactQuery(target.query), 512),
    status: reply?.status,
    listener: exchange.listener.name,
    api: exchange.route?.api,
    route: exchange.route?.name,
    ms: round(performance.now() - exchange.startedAt),
    upstreamMs: exchange.upstreamHeadAfter < 0 ? undefined : round(exchange.upstreamHeadAfter),
    upstream: exchange.upstreamTarget,
    bytesIn: exchange.requestBytes,
    bytesOut: exchange.replyBytes,
    http: exchange.httpVersion,
    tls: exchange.tls?.protocol,
    agent: agent === undefined ? undefined : cut(agent, 512),
    referer: referer === undefined ? undefined : cut(redactReferer(referer), 512),
    principal: exchange.principal?.id,
    deniedBy: exchange.deniedBy,
    problem: reply?.problem?.code,
    traceId: exchange.trace?.traceId,
    aborted: exchange.aborted ? true : undefined,
    detail: detail === undefined ? undefined : cut(redactText(cut(detail, 8192)), 1024),
  };
}

function redactReferer(referer: string): string {
  const mark = referer.indexOf('?');
  const bare = redactText(mark < 0 ? referer : referer.slice(0, mark));
  return mark < 0 ? bare : `${bare}?${redactQuery(referer.slice(mark + 1))}`;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
