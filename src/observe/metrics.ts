import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Problem } from '../errors/problem.ts';
import type { Exchange, Reply } from '../exchange.ts';

/** Seconds. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What a worker counts. All labels come from the configuration or from short lists, so their number is bounded. */
export interface Metrics {
  /** A request has come in; `finished` is called once for each. */
  begun(): void;
  finished(exchange: Exchange, reply: Reply | undefined): void;
  /** A request was refused before it became an exchange. */
  refused(problem: Problem): void;
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
  /** Forgets the series of routes that a new configuration no longer has. */
  forgetRoutes(): void;
  /** Plain data for the control plane to add up. */
  snapshot(facts: { readonly logLinesDropped: number; readonly spansDropped: number }): Promise<unknown>;
}

/** Running sums of one route and status, kept as plain numbers; they become series only when somebody asks. */
interface Series {
  readonly labels: Readonly<Record<'listener' | 'api' | 'route' | 'method' | 'status', string>>;
  count: number;
  seconds: number;
  readonly buckets: number[];
  upstreamCount: number;
  upstreamSeconds: number;
  readonly upstreamBuckets: number[];
  bytesIn: number;
  bytesOut: number;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY']);

/**
 * The metrics of one worker. The hot path adds to plain numbers found by one look-up; prom-client's own look-up by labels would
 * cost more than the rest of a small request.
 */
export function createMetrics(): Metrics {
  // Keyed by the route, which lives as long as its configuration, then by method and status.
  let series = new Map<object, Map<string, Series>>();
  const totals = new Totals();
  let inFlight = 0;
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();

  function finished(exchange: Exchange, reply: Reply | undefined): void {
    inFlight -= 1;
    const route: object = exchange.route ?? NO_ROUTE;
    let ofRoute = series.get(route);
    if (ofRoute === undefined) {
      ofRoute = new Map();
      series.set(route, ofRoute);
    }
    const method = METHODS.has(exchange.method) ? exchange.method : 'OTHER';
    const status = reply?.status ?? 0;
    const key = `${method}${status}${exchange.listener.name}`;
    let sums = ofRoute.get(key);
    if (sums === undefined) {
      sums = newSeries(exchange, method, status);
      ofRoute.set(key, sums);
    }
    const seconds = (performance.now() - exchange.startedAt) / 1000;
    sums.count += 1;
    sums.seconds += seconds;
    increment(sums.buckets, bucketOf(seconds));
    sums.bytesIn += exchange.requestBytes;
    sums.bytesOut += exchange.replyBytes;
    if (exchange.upstreamHeadAfter >= 0) {
      const upstreamSeconds = exchange.upstreamHeadAfter / 1000;
      sums.upstreamCount += 1;
      sums.upstreamSeconds += upstreamSeconds;
      increment(sums.upstreamBuckets, bucketOf(upstreamSeconds));
    }
    if (exchange.deniedBy !== undefined) totals.add('denials', exchange.deniedBy);
    if (reply?.problem !== undefined) totals.add('problems', reply.problem.code);
    if (reply?.problem?.blame === 'upstream' && exchange.upstreamTarget !== undefined) totals.add('upstreamFailures', `${exchange.upstreamTarget} ${reply.problem.code}`);
    if (exchange.aborted) totals.add('aborted', exchange.listener.name);
  }

  return {
    begun() {
      inFlight += 1;
    },
    finished,
    refused: (problem) => totals.add('problems', problem.code),
    connectionOpened(listener) {
      totals.add('connections', listener, 1);
      totals.add('accepted', listener, 1);
    },
    connectionClosed: (listener) => totals.add('connections', listener, -1),
    forgetRoutes() {
      // What they counted stays under the same labels, so that no counter ever goes down.
      series = new Map([[RETIRED, merge(series)]]);
    },
    async snapshot(facts) {
      const merged = merge(series);
      const counters = await toRegistry(merged, totals, inFlight, delay, facts).getMetricsAsJSON();
      return [...counters, ...histograms(merged)];
    },
  };
}

const NO_ROUTE = {};
const RETIRED = {};

class Totals {
  readonly #sums = new Map<string, Map<string, number>>();

  add(what: string, label: string, by = 1): void {
    let sums = this.#sums.get(what);
    if (sums === undefined) {
      sums = new Map();
      this.#sums.set(what, sums);
    }
    sums.set(label, (sums.get(label) ?? 0) + by);
  }

  of(what: string): Iterable<[string, number]> {
    return this.#sums.get(what) ?? [];
  }
}

function newSeries(exchange: Exchange, method: string, status: number): Series {
  return {
    labels: {
      listener: exchange.listener.name,
      api: exchange.route?.api ?? '-',
      route: exchange.route?.name ?? '-',
      method,
      status: String(status),
    },
    count: 0,
    seconds: 0,
    buckets: new Array(DURATION_BUCKETS.length + 1).fill(0),
    upstreamCount: 0,
    upstreamSeconds: 0,
    upstreamBuckets: new Array(DURATION_BUCKETS.length + 1).fill(0),
    bytesIn: 0,
    bytesOut: 0,
  };
}

function bucketOf(seconds: number): number {
  let at = 0;
  while (at < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[at] as number)) at += 1; // at < length
  return at;
}

function increment(buckets: number[], at: number): void {
  buckets[at] = (buckets[at] ?? 0) + 1;
}

/** All series by their labels: two generations of a route are one series to the outside. */
function merge(series: ReadonlyMap<object, ReadonlyMap<string, Series>>): Map<string, Series> {
  const merged = new Map<string, Series>();
  for (const ofRoute of series.values()) {
    for (const sums of ofRoute.values()) {
      const key = JSON.stringify(sums.labels);
      const known = merged.get(key);
      merged.set(key, known === undefined ? sums : sumOf(known, sums));
    }
  }
  return merged;
}

function sumOf(a: Series, b: Series): Series {
  return {
    labels: a.labels,
    count: a.count + b.count,
    seconds: a.seconds + b.seconds,
    buckets: a.buckets.map((value, at) => value + (b.buckets[at] ?? 0)),
    upstreamCount: a.upstreamCount + b.upstreamCount,
    upstreamSeconds: a.upstreamSeconds + b.upstreamSeconds,
    upstreamBuckets: a.upstreamBuckets.map((value, at) => value + (b.upstreamBuckets[at] ?? 0)),
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
  };
}

function toRegistry(
  series: ReadonlyMap<string, Series>,
  totals: Totals,
  inFlight: number,
  delay: ReturnType<typeof monitorEventLoopDelay>,
  facts: { readonly logLinesDropped: number; readonly spansDropped: number },
): Registry {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['listener', 'api', 'route', 'method', 'status'];
  const requests = new Counter({ name: 'sallyport_requests_total', help: 'Requests answered.', labelNames, registers });
  const bytesIn = new Counter({ name: 'sallyport_request_bytes_total', help: 'Bytes of request bodies.', labelNames: ['api', 'route'], registers });
  const bytesOut = new Counter({ name: 'sallyport_reply_bytes_total', help: 'Bytes of reply bodies.', labelNames: ['api', 'route'], registers });
  for (const { labels, ...sums } of series.values()) {
    requests.inc({ ...labels }, sums.count);
    bytesIn.inc({ api: labels.api, route: labels.route }, sums.bytesIn);
    bytesOut.inc({ api: labels.api, route: labels.route }, sums.bytesOut);
  }

  const counted = [
    ['denials', 'sallyport_denials_total', 'Requests a policy denied.', 'policy'],
    ['problems', 'sallyport_problems_total', 'Problems told to clients.', 'code'],
    ['aborted', 'sallyport_aborted_total', 'Requests whose client went away.', 'listener'],
    ['accepted', 'sallyport_connections_total', 'Connections accepted.', 'listener'],
  ] as const;
  for (const [what, name, help, label] of counted) {
    const counter = new Counter({ name, help, labelNames: [label], registers });
    for (const [value, count] of totals.of(what)) counter.inc({ [label]: value }, count);
  }
  const upstreamFailures = new Counter({ name: 'sallyport_upstream_failures_total', help: 'Requests an upstream failed.', labelNames: ['target', 'code'], registers });
  for (const [key, count] of totals.of('upstreamFailures')) {
    const space = key.lastIndexOf(' ');
    upstreamFailures.inc({ target: key.slice(0, space), code: key.slice(space + 1) }, count);
  }
  const connections = new Gauge({ name: 'sallyport_connections', help: 'Open client connections.', labelNames: ['listener'], aggregator: 'sum', registers });
  for (const [listener, open] of totals.of('connections')) connections.set({ listener }, open);
  new Gauge({ name: 'sallyport_requests_in_flight', help: 'Requests being answered.', aggregator: 'sum', registers }).set(inFlight);
  new Counter({ name: 'sallyport_log_lines_dropped_total', help: 'Log lines dropped because their reader was behind.', registers }).inc(facts.logLinesDropped);
  new Counter({ name: 'sallyport_spans_dropped_total', help: 'Spans dropped because the collector was behind.', registers }).inc(facts.spansDropped);
  new Gauge({ name: 'sallyport_event_loop_delay_p99_seconds', help: 'Event loop delay of the slowest worker, 99th percentile since the last scrape.', aggregator: 'max', registers }).set(delay.percentile(99) / 1e9);
  delay.reset();

  return registry;
}

interface Sums {
  count: number;
  seconds: number;
  buckets: number[];
}

/** The duration histograms by route, in the form prom-client adds up over workers. */
function histograms(series: ReadonlyMap<string, Series>): object[] {
  return [
    histogram('sallyport_request_duration_seconds', 'Time from the head of a request to the end of its reply.', series, ({ count, seconds, buckets }) => ({ count, seconds, buckets })),
    histogram('sallyport_upstream_duration_seconds', 'Time from the head of a request to the head of the upstream response.', series, (sums) => ({
      count: sums.upstreamCount,
      seconds: sums.upstreamSeconds,
      buckets: sums.upstreamBuckets,
    })),
  ];
}

function histogram(name: string, help: string, series: ReadonlyMap<string, Series>, pick: (sums: Series) => Sums): object {
  const byRoute = new Map<string, { labels: { api: string; route: string }; sums: Sums }>();
  for (const one of series.values()) {
    const labels = { api: one.labels.api, route: one.labels.route };
    const key = JSON.stringify(labels);
    const known = byRoute.get(key) ?? { labels, sums: { count: 0, seconds: 0, buckets: [] } };
    const { count, seconds, buckets } = pick(one);
    byRoute.set(key, { labels, sums: { count: known.sums.count + count, seconds: known.sums.seconds + seconds, buckets: buckets.map((value, at) => value + (known.sums.buckets[at] ?? 0)) } });
  }
  const values: object[] = [];
  for (const { labels, sums } of byRoute.values()) {
    if (sums.count === 0) continue;
    let below = 0;
    for (const [at, bound] of [...DURATION_BUCKETS, '+Inf'].entries()) {
      below += sums.buckets[at] ?? 0;
      values.push({ metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: below });
    }
    values.push({ metricName: `${name}_sum`, labels, value: sums.seconds }, { metricName: `${name}_count`, labels, value: sums.count });
  }
  return { name, help, type: 'histogram', aggregator: 'sum', values };
}
