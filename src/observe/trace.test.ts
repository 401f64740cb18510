import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Problem } from '../errors/problem.ts';
import { type Exchange, Reply, type RequestHead } from '../exchange.ts';
import { HeaderList } from '../lib/header-list.ts';
import { testExchange } from '../policies/test-exchange.ts';
import { createTracing } from './trace.ts';
import { startTrace } from './trace-context.ts';

const CALLER = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };
const SERVER = 2; // the kinds and codes of OTLP
const CLIENT = 3;
const ERROR = 2;

test('an exchange that went to an upstream is a SERVER span with a CLIENT span below it', async () => {
  const spans = await collected((record) => {
    const exchange = exchangeOf({
      target: { path: '/v1/widgets/7', query: 'token=s3cret', encodedDelimiters: false },
      headers: new HeaderList(['User-Agent', 'curl/8', 'Authorization', 'Bearer s3cret', 'Cookie', 's3cret']),
      authority: 'api.example.com:8443',
      peerAddress: '10.0.0.1',
      httpVersion: '2',
    });
    exchange.upstreamTarget = 'http://10.0.0.11:4000';
    exchange.upstreamHeadAfter = 0.25;
    exchange.requestBytes = 12;
    exchange.replyBytes = 34;
    record(exchange, new Reply(200, new HeaderList([]), undefined, 'upstream'));
    return exchange;
  });
  assert.equal(spans.length, 2);
  const [server, client] = spans;
  assert.ok(server !== undefined && client !== undefined);
  const { trace } = spans.exchange;

  assert.equal(server.name, 'GET /widgets/{id}');
  assert.equal(server.kind, SERVER);
  assert.equal(server.traceId, CALLER.trace);
  assert.equal(server.spanId, trace?.spanId);
  assert.equal(server.parentSpanId, CALLER.span);
  assert.equal(server.traceState, 'rojo=1');
  assert.notEqual(server.status.code, ERROR);
  assert.deepEqual(server.attributes, {
    'http.request.method': 'GET',
    'url.scheme': 'https',
    'url.path': '/v1/widgets/7',
    'server.address': 'api.example.com',
    'server.port': 8443,
    'client.address': '192.0.2.7',
    'network.peer.address': '10.0.0.1',
    'network.protocol.name': 'http',
    'network.protocol.version': '2',
    'http.route': '/widgets/{id}',
    'http.response.status_code': 200,
    'http.request.body.size': 12,
    'http.response.body.size': 34,
    'user_agent.original': 'curl/8',
    'sallyport.request_id': '01K0000000TESTTESTTESTTEST',
    'sallyport.listener': 'public',
    'sallyport.api': 'widgets',
    'sallyport.route': 'GET /widgets/{id}',
  });

  assert.equal(client.name, 'GET');
  assert.equal(client.kind, CLIENT);
  assert.equal(client.traceId, CALLER.trace);
  assert.equal(client.parentSpanId, trace?.spanId);
  assert.match(client.spanId, /^[0-9a-f]{16}$/);
  assert.notEqual(client.spanId, server.spanId);
  assert.deepEqual(client.attributes, {
    'http.request.method': 'GET',
    'http.response.status_code': 200,
    'url.scheme': 'http',
    'server.address': '10.0.0.11',
    'server.port': 4000,
  });

  // Wall-clock nanoseconds: the exchange happened during this test, and the upstream's head came 0.25 ms into it.
  const started = BigInt(server.startTimeUnixNano);
  assert.ok(started > BigInt(Date.now() - 60_000) * 1_000_000n && started < BigInt(Date.now() + 1000) * 1_000_000n);
  assert.ok(BigInt(server.endTimeUnixNano) >= started);
  assert.equal(client.startTimeUnixNano, server.startTimeUnixNano);
  const upstream = Number(BigInt(client.endTimeUnixNano) - started);
  assert.ok(Math.abs(upstream - 250_000) < 1000, String(upstream)); // doubles of milliseconds since 1970 are good to 250 ns
  assert.doesNotMatch(JSON.stringify(spans), /s3cret/);
});

test('the resource says who we are and the request carries what was configured', async () => {
  const { resource, headers } = await collected((record) =>
    record(exchangeOf(), new Reply(204, new HeaderList([]), undefined, 'upstream')),
  );
  assert.equal(resource['service.name'], 'sallyport');
  assert.equal(resource['service.version'], '1.2.3');
  assert.match(String(resource['service.instance.id']), /^[0-9a-f-]{36}$/);
  assert.equal(headers['x-collector-key'], 'k');
  assert.equal(headers['content-type'], 'application/json');
});

test('a trace that begins here has no parent', async () => {
  const spans = await collected((record) => {
    const exchange = exchangeOf();
    exchange.trace = startTrace(undefined, undefined, 1);
    record(exchange, new Reply(204, new HeaderList([]), undefined, 'upstream'));
  });
  assert.ok(!spans[0]?.parentSpanId);
});

interface Failure {
  readonly name: string;
  readonly arrange: (exchange: Exchange) => Reply | undefined;
  readonly server: Readonly<Record<string, unknown>>;
  readonly serverFailed: boolean;
  /** Undefined where no upstream was asked. */
  readonly client?: Readonly<Record<string, unknown>>;
}

function problemReply(problem: Problem): Reply {
  const reply = new Reply(problem.status, new HeaderList([]), undefined, 'gateway');
  reply.problem = problem;
  return reply;
}

const failures: readonly Failure[] = [
  {
    name: 'a denial is the client’s fault, not ours',
    arrange: (exchange) => {
      exchange.deniedBy = 'ipAccess';
      return problemReply(new Problem('forbidden-address'));
    },
    server: {
      'http.response.status_code': 403,
      'sallyport.denied_by': 'ipAccess',
      'sallyport.problem': 'forbidden-address',
      'error.type': undefined,
    },
    serverFailed: false,
  },
  {
    name: 'an upstream that cannot be reached fails both spans',
    arrange: (exchange) => {
      exchange.upstreamTarget = 'unix:/run/app.sock';
      return problemReply(new Problem('upstream-unavailable'));
    },
    server: { 'http.response.status_code': 503, 'error.type': 'upstream-unavailable' },
    serverFailed: true,
    client: {
      'error.type': 'upstream-unavailable',
      'server.address': '/run/app.sock',
      'network.transport': 'unix',
      'http.response.status_code': undefined,
    },
  },
  {
    name: 'a 404 of the upstream fails the CLIENT span only',
    arrange: (exchange) => {
      exchange.upstreamTarget = 'https://app.internal';
      exchange.upstreamHeadAfter = 1;
      return new Reply(404, new HeaderList([]), undefined, 'upstream');
    },
    server: { 'http.response.status_code': 404, 'error.type': undefined },
    serverFailed: false,
    client: {
      'http.response.status_code': 404,
      'error.type': '404',
      'server.address': 'app.internal',
      'server.port': 443,
    },
  },
  {
    name: 'a fault of our own without a reply',
    arrange: (exchange) => {
      exchange.aborted = true;
      return undefined;
    },
    server: { 'http.response.status_code': undefined, 'error.type': 'internal-error', 'sallyport.aborted': true },
    serverFailed: true,
  },
];

for (const { name, arrange, server, serverFailed, client } of failures) {
  test(name, async () => {
    const spans = await collected((record) => {
      const exchange = exchangeOf();
      record(exchange, arrange(exchange));
    });
    assert.equal(spans.length, client === undefined ? 1 : 2);
    for (const [attribute, value] of Object.entries(server))
      assert.equal(spans[0]?.attributes[attribute], value, attribute);
    assert.equal(spans[0]?.status.code === ERROR, serverFailed);
    for (const [attribute, value] of Object.entries(client ?? {}))
      assert.equal(spans[1]?.attributes[attribute], value, attribute);
    if (client !== undefined) assert.equal(spans[1]?.status.code, ERROR);
  });
}

test('an unheard-of method and an unknown path make no new span name', async () => {
  const spans = await collected((record) => {
    const exchange = exchangeOf({ method: 'BREW' });
    exchange.route = { api: '-', name: '-' };
    record(exchange, new Reply(404, new HeaderList([]), undefined, 'gateway'));
  });
  assert.equal(spans[0]?.name, 'HTTP');
  assert.equal(spans[0]?.attributes['http.request.method'], '_OTHER');
  assert.equal(spans[0]?.attributes['http.request.method_original'], 'BREW');
  assert.equal(spans[0]?.attributes['http.route'], undefined);
});

test('all that was recorded arrives before close settles, over several batches', async () => {
  const spans = await collected((record) => {
    for (let n = 0; n < 3000; n += 1) record(exchangeOf(), new Reply(204, new HeaderList([]), undefined, 'upstream'));
  });
  assert.equal(spans.length, 3000);
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, 3000);
  assert.equal(spans.dropped, 0);
});

test('spans beyond what is kept for a collector that does not answer are dropped and counted, and close keeps its deadline', async () => {
  const silent = createServer(() => undefined);
  const tracing = await createTracing({ endpoint: await listen(silent), headers: {}, serviceVersion: '1.2.3' });
  for (let n = 0; n < 10_000; n += 1) tracing.record(exchangeOf(), undefined);
  assert.equal(tracing.dropped, 10_000 - 4096);
  await tracing.close(50);
  assert.equal(tracing.dropped, 10_000);
  tracing.record(exchangeOf(), undefined);
  assert.equal(tracing.dropped, 10_001);
  await stop(silent);
});

test('spans that the collector refuses are counted', async () => {
  const strict = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(400).end());
  });
  const tracing = await createTracing({ endpoint: await listen(strict), headers: {}, serviceVersion: '1.2.3' });
  tracing.record(exchangeOf(), undefined);
  await tracing.close(10_000);
  assert.equal(tracing.dropped, 1);
  await stop(strict);
});

test('the OpenTelemetry libraries are not loaded before tracing is created', () => {
  const module = new URL('./trace.ts', import.meta.url).href;
  const code = `
    import { registerHooks } from 'node:module';
    let loaded = 0;
    registerHooks({ resolve(specifier, context, next) { if (specifier.includes('opentelemetry')) loaded += 1; return next(specifier, context); } });
    const { createTracing } = await import(${JSON.stringify(module)});
    const before = loaded;
    await createTracing({ endpoint: 'http://127.0.0.1:9/v1/traces', headers: {}, serviceVersion: '1' });
    console.log(JSON.stringify({ before, used: loaded > 0 }));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(output), { before: 0, used: true });
});

interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number };
  readonly attributes: Readonly<Record<string, unknown>>;
}

type Collected<Result> = Span[] & {
  readonly exchange: Result;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
  readonly dropped: number;
};

/** What a collector on loopback was sent of what `act` recorded. */
async function collected<Result>(
  act: (record: (exchange: Exchange, reply: Reply | undefined) => void) => Result,
): Promise<Collected<Result>> {
  const spans: Span[] = [];
  let resource: Readonly<Record<string, unknown>> = {};
  let headers: IncomingHttpHeaders = {};
  const collector = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    headers = request.headers;
    for (const group of JSON.parse(body).resourceSpans) {
      resource = attributesOf(group.resource.attributes);
      for (const scope of group.scopeSpans) {
        for (const span of scope.spans) spans.push({ ...span, attributes: attributesOf(span.attributes) });
      }
    }
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  });
  const tracing = await createTracing({
    endpoint: await listen(collector),
    headers: { 'x-collector-key': 'k' },
    serviceVersion: '1.2.3',
  });
  const exchange = act(tracing.record);
  await tracing.close(20_000);
  await stop(collector);
  return Object.assign(spans, { exchange, resource, headers, dropped: tracing.dropped });
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: number | string;
    readonly doubleValue?: number;
    readonly boolValue?: boolean;
  };
}

function attributesOf(list: readonly OtlpAttribute[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    list.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? boolValue ?? doubleValue ?? (intValue === undefined ? undefined : Number(intValue)),
    ]),
  );
}

function exchangeOf(head: Partial<RequestHead> = {}): Exchange {
  const exchange = testExchange(head);
  exchange.route = { api: 'widgets', name: 'GET /widgets/{id}' };
  exchange.trace = startTrace(`00-${CALLER.trace}-${CALLER.span}-01`, 'rojo=1', 0);
  return exchange;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`; // a TCP server's
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
