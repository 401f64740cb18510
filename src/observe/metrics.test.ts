import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ProblemCode } from '../errors/catalogue.ts';
import { Problem } from '../errors/problem.ts';
import { type Exchange, Reply, type RequestHead } from '../exchange.ts';
import { HeaderList } from '../lib/header-list.ts';
import { testExchange } from '../policies/test-exchange.ts';
import { createControlMetrics } from './control-metrics.ts';
import { createMetrics, type Metrics } from './metrics.ts';

const LIST = { api: 'widgets', name: 'list' };
const NOTHING_LOST = { logLinesDropped: 0, spansDropped: 0 };

interface Request {
  readonly head?: Partial<RequestHead>;
  readonly route?: Exchange['route'];
  readonly status?: number;
  readonly problem?: ProblemCode;
}

function serve(metrics: Metrics, { head = {}, route = LIST, status = 200, problem }: Request): Exchange {
  const exchange = testExchange(head);
  metrics.begun();
  exchange.route = route;
  const reply = new Reply(status, new HeaderList([]), undefined, 'upstream');
  reply.problem = problem === undefined ? undefined : new Problem(problem);
  metrics.finished(exchange, reply);
  return exchange;
}

/** What Prometheus would read: the value under each `name{labels}`. */
async function scrape(...workers: readonly Metrics[]): Promise<Map<string, number>> {
  const snapshots = await Promise.all(workers.map((worker) => worker.snapshot(NOTHING_LOST)));
  return valuesOf(await createControlMetrics({ version: '1.2.3' }).aggregate(snapshots));
}

function valuesOf(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const space = line.lastIndexOf(' ');
    values.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return values;
}

test('a request is counted by listener, API, route, method and status', async () => {
  const metrics = createMetrics();
  serve(metrics, {});
  serve(metrics, {});
  serve(metrics, { status: 404, head: { method: 'DELETE' } });
  const values = await scrape(metrics);
  const { name } = testExchange().listener;
  assert.equal(
    values.get(`sallyport_requests_total{listener="${name}",api="widgets",route="list",method="GET",status="200"}`),
    2,
  );
  assert.equal(
    values.get(`sallyport_requests_total{listener="${name}",api="widgets",route="list",method="DELETE",status="404"}`),
    1,
  );
});

test('a request that was cut before any answer has the status 0, one that matched nothing no route', async () => {
  const metrics = createMetrics();
  metrics.begun();
  metrics.finished(testExchange(), undefined);
  const [series] = [...(await scrape(metrics)).keys()].filter((key) => key.startsWith('sallyport_requests_total'));
  assert.match(series ?? '', /api="-",route="-",method="GET",status="0"/);
});

test('methods and statuses that others make up do not make up labels without bound', async () => {
  const metrics = createMetrics();
  for (let at = 0; at < 500; at += 1) serve(metrics, { head: { method: `M${at}` } });
  for (let status = 100; status < 1000; status += 1) serve(metrics, { status });
  const requests = [...(await scrape(metrics))].filter(([key]) => key.startsWith('sallyport_requests_total'));
  assert.ok(requests.length < 150, `${requests.length} series`);
  assert.equal(
    requests.reduce((sum, [, value]) => sum + value, 0),
    1400,
  );
  assert.ok(requests.some(([key, value]) => key.includes('method="OTHER",status="200"') && value === 500));
});

test('durations are cumulative histograms in seconds, by API and route', async () => {
  const metrics = createMetrics();
  const exchange = testExchange();
  exchange.route = { api: 'widgets', name: 'list' };
  exchange.upstreamHeadAfter = 40;
  metrics.begun();
  metrics.finished(exchange, new Reply(200, new HeaderList([]), undefined, 'upstream'));
  serve(metrics, {}); // never got to an upstream
  const values = await scrape(metrics);
  const upstream = (bound: string) =>
    values.get(`sallyport_upstream_duration_seconds_bucket{le="${bound}",api="widgets",route="list"}`);
  assert.deepEqual([upstream('0.025'), upstream('0.05'), upstream('30'), upstream('+Inf')], [0, 1, 1, 1]);
  assert.equal(values.get('sallyport_upstream_duration_seconds_sum{api="widgets",route="list"}'), 0.04);
  assert.equal(values.get('sallyport_upstream_duration_seconds_count{api="widgets",route="list"}'), 1);
  assert.equal(values.get('sallyport_request_duration_seconds_bucket{le="+Inf",api="widgets",route="list"}'), 2);
  assert.equal(values.get('sallyport_request_duration_seconds_count{api="widgets",route="list"}'), 2);
});

test('denials, problems, upstream failures, aborted requests and bytes are counted', async () => {
  const metrics = createMetrics();
  const exchange = testExchange();
  exchange.route = { api: 'widgets', name: 'list' };
  exchange.upstreamTarget = 'http://10.0.0.11:4000';
  exchange.deniedBy = 'ipAccess';
  exchange.aborted = true;
  exchange.requestBytes = 10;
  exchange.replyBytes = 300;
  const reply = new Reply(504, new HeaderList([]), undefined, 'gateway');
  reply.problem = new Problem('upstream-timeout');
  metrics.begun();
  metrics.finished(exchange, reply);
  metrics.refused(new Problem('headers-too-large'));
  const values = await scrape(metrics);
  assert.equal(values.get('sallyport_denials_total{policy="ipAccess"}'), 1);
  assert.equal(values.get('sallyport_problems_total{code="upstream-timeout"}'), 1);
  assert.equal(values.get('sallyport_problems_total{code="headers-too-large"}'), 1);
  assert.equal(
    values.get('sallyport_upstream_failures_total{target="http://10.0.0.11:4000",code="upstream-timeout"}'),
    1,
  );
  assert.equal(values.get(`sallyport_aborted_total{listener="${exchange.listener.name}"}`), 1);
  assert.equal(values.get('sallyport_request_bytes_total{api="widgets",route="list"}'), 10);
  assert.equal(values.get('sallyport_reply_bytes_total{api="widgets",route="list"}'), 300);
});

test('gauges go up and down', async () => {
  const metrics = createMetrics();
  metrics.begun();
  metrics.begun();
  metrics.finished(testExchange(), undefined);
  metrics.connectionOpened('public');
  metrics.connectionOpened('public');
  metrics.connectionClosed('public');
  const values = await scrape(metrics);
  assert.equal(values.get('sallyport_requests_in_flight'), 1);
  assert.equal(values.get('sallyport_connections{listener="public"}'), 1);
  assert.equal(values.get('sallyport_connections_total{listener="public"}'), 2);
  assert.ok((values.get('sallyport_worker_heap_bytes') ?? 0) > 1e6);
});

test('an idle event loop has a delay near zero, before its first sample too', async () => {
  const metrics = createMetrics();
  const before = (await scrape(metrics)).get('sallyport_event_loop_delay_p99_seconds') ?? Number.NaN;
  assert.ok(before >= 0 && before < 1e-3, String(before));
  // A sample is an interval between two timers: a block between them shows however slow the machine is.
  await new Promise((resolve) => setTimeout(resolve, 60));
  const until = performance.now() + 300;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 60));
  const after = (await scrape(metrics)).get('sallyport_event_loop_delay_p99_seconds') ?? Number.NaN;
  assert.ok(after > 0.25, String(after));
});

test('a reload keeps the counters of the routes that stay, and ends those of routes that are gone', async () => {
  const metrics = createMetrics();
  const requests = async () => {
    const keys = [...(await scrape(metrics))].filter(([key]) => key.startsWith('sallyport_requests_total'));
    return keys.map(([key, value]) => `${/api="[^"]*",route="[^"]*"/.exec(key)?.[0]} ${value}`).sort();
  };
  const names: [string, string][] = [
    ['widgets', 'list'],
    ['widgets', 'widgets'],
    ['widgets', 'old'],
    ['gone', 'gone'],
    ['sallyport', 'metrics'],
    ['-', '-'],
  ];
  for (const [api, name] of names) serve(metrics, { route: { api, name } });
  metrics.forgetRoutes([{ name: 'widgets', routes: [{ name: 'list' }] }]);
  serve(metrics, { route: { api: 'widgets', name: 'list' } });
  assert.deepEqual(await requests(), [
    'api="-",route="-" 1',
    'api="sallyport",route="metrics" 1',
    'api="widgets",route="list" 2',
    'api="widgets",route="widgets" 1',
  ]);
});

test('two hundred reloads, each with routes and targets of other names, leave no more behind than one', async () => {
  const metrics = createMetrics();
  const sizes: number[] = [];
  for (let generation = 0; generation < 200; generation += 1) {
    const routes = Array.from({ length: 20 }, (_, at) => ({ api: 'widgets', name: `route-${generation}-${at}` }));
    metrics.forgetRoutes([{ name: 'widgets', routes }]);
    for (const route of routes) {
      const exchange = testExchange();
      exchange.route = route;
      exchange.upstreamTarget = `http://10.0.0.1:${generation}${route.name}`;
      const reply = new Reply(502, new HeaderList([]), undefined, 'gateway');
      reply.problem = new Problem('bad-gateway');
      metrics.begun();
      metrics.finished(exchange, reply);
    }
    const { families } = await metrics.snapshot(NOTHING_LOST);
    sizes.push(families.find(({ name }) => name === 'sallyport_requests_total')?.values.length ?? 0);
  }
  assert.deepEqual(new Set(sizes), new Set([20]));
  const failures = (await metrics.snapshot(NOTHING_LOST)).families.find(
    ({ name }) => name === 'sallyport_upstream_failures_total',
  );
  assert.ok((failures?.values.length ?? 0) <= 1025);
  assert.equal(
    failures?.values.reduce((sum, { value }) => sum + value, 0),
    4000,
  );
});

test('a route object of the configuration before is let go by the next reload', async () => {
  const metrics = createMetrics();
  const route = new WeakRef(serveOnce(metrics));
  metrics.forgetRoutes([{ name: 'widgets', routes: [{ name: 'list' }] }]);
  await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds its target to the end of the turn
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  assert.equal(route.deref(), undefined);
});

function serveOnce(metrics: Metrics): object {
  const route = { api: 'widgets', name: 'list' };
  serve(metrics, { route });
  return route;
}
