import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Problem } from '../errors/problem.ts';
import type { Exchange, Reply } from '../exchange.ts';
import { LabelledTotals } from './labelled-totals.ts';
import { type MetricsSnapshot, workerFamilies } from './metric-families.ts';
import { mergeSeries, newSeries, observeSeconds, type Series } from './series.ts';

/** What a worker counts. All labels come from the configuration or from short lists, so their number is bounded. */
export interface Metrics {
  /** A request has come in; `finished` is called once for each. */
  begun(): void;
  finished(exchange: Exchange, reply: Reply | undefined): void;
  /** A request was refused before it became an exchange. */
  refused(problem: Problem): void;
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
  /**
   * Says that a new configuration is in force. The series of routes that `published` does not have end here, so that a reload which
   * renames routes costs no memory for good; without it, all are kept. Those of a route that stays go on where they were.
   */
  forgetRoutes(published: readonly PublishedApi[]): void;
  /** Plain data for the control plane to add up. */
  snapshot(facts: { readonly logLinesDropped: number; readonly spansDropped: number }): Promise<MetricsSnapshot>;
}

/** The names of an API and its routes; what lies under the API's path without a route of its own bears the API's name. */
export interface PublishedApi {
  readonly name: string;
  readonly routes: readonly { readonly name: string }[];
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY']);
/** An upstream may answer with any status: a route with this many series counts further ones by their class, such as `4xx`. */
const MAX_SERIES_OF_ROUTE = 128;
const DELAY_RESOLUTION_MS = 10;

/** The parts of the gateway's own that no configuration lists: its internal pages, and what no route matched. */
const OWN_APIS: ReadonlySet<string> = new Set(['sallyport', '-']);
const NO_ROUTE = { api: '-', name: '-' };
const BEFORE_RELOAD = {};

/**
 * The metrics of one worker. The hot path adds to plain numbers found by one look-up; prom-client's own look-up by labels would
 * cost more than the rest of a small request.
 */
export function createMetrics(): Metrics {
  // By route, which lives as long as its configuration, then by method, status and listener.
  let series = new Map<object, Map<string, Series>>();
  const source = randomUUID();
  const denials = new LabelledTotals();
  const problems = new LabelledTotals();
  const upstreamFailures = new LabelledTotals();
  const aborted = new LabelledTotals();
  const accepted = new LabelledTotals();
  const connections = new LabelledTotals();
  let inFlight = 0;
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();

  function finished(exchange: Exchange, reply: Reply | undefined): void {
    inFlight -= 1;
    const sums = seriesOf(exchange, reply?.status ?? 0);
    sums.count += 1;
    sums.bytesIn += exchange.requestBytes;
    sums.bytesOut += exchange.replyBytes;
    observeSeconds(sums.duration, (performance.now() - exchange.startedAt) / 1000);
    if (exchange.upstreamHeadAfter >= 0) observeSeconds(sums.upstream, exchange.upstreamHeadAfter / 1000);
    if (exchange.deniedBy !== undefined) denials.add(exchange.deniedBy, 1);
    if (exchange.aborted) aborted.add(exchange.listener.name, 1);
    const problem = reply?.problem;
    if (problem === undefined) return;
    problems.add(problem.code, 1);
    if (problem.blame === 'upstream' && exchange.upstreamTarget !== undefined) {
      upstreamFailures.add(`${problem.code} ${exchange.upstreamTarget}`, 1);
    }
  }

  function seriesOf(exchange: Exchange, status: number): Series {
    const route = exchange.route ?? NO_ROUTE;
    let ofRoute = series.get(route);
    if (ofRoute === undefined) {
      ofRoute = new Map();
      series.set(route, ofRoute);
    }
    const method = METHODS.has(exchange.method) ? exchange.method : 'OTHER';
    const listener = exchange.listener.name;
    const known = ofRoute.get(`${method} ${status} ${listener}`);
    if (known !== undefined) return known;
    const label = ofRoute.size < MAX_SERIES_OF_ROUTE ? String(status) : `${Math.floor(status / 100)}xx`;
    const key = `${method} ${label} ${listener}`;
    const found = ofRoute.get(key) ?? newSeries({ listener, api: route.api, route: route.name, method, status: label });
    ofRoute.set(key, found);
    return found;
  }

  return {
    begun() {
      inFlight += 1;
    },
    finished,
    refused: (problem) => problems.add(problem.code, 1),
    connectionOpened(listener) {
      connections.add(listener, 1);
      accepted.add(listener, 1);
    },
    connectionClosed: (listener) => connections.add(listener, -1),
    forgetRoutes(published) {
      const kept = mergeSeries(series.values());
      removeUnpublished(kept, published);
      // Under a key of its own: the routes themselves hold on to the configuration before.
      series = new Map([[BEFORE_RELOAD, kept]]);
    },
    async snapshot({ logLinesDropped, spansDropped }) {
      const eventLoopDelaySeconds = Math.max(
        0,
        delay.count === 0 ? 0 : delay.percentile(99) / 1e9 - DELAY_RESOLUTION_MS / 1e3,
      );
      delay.reset();
      const families = workerFamilies({
        series: mergeSeries(series.values()).values(),
        denials,
        problems,
        upstreamFailures,
        aborted,
        accepted,
        connections,
        inFlight,
        logLinesDropped,
        spansDropped,
        eventLoopDelaySeconds,
        heapBytes: getHeapStatistics().used_heap_size,
      });
      return { source, families };
    },
  };
}

function removeUnpublished(series: Map<string, Series>, published: readonly PublishedApi[]): void {
  const routes = new Map(
    published.map(({ name, routes }) => [name, new Set([name, ...routes.map((route) => route.name)])]),
  );
  for (const [key, { labels }] of series) {
    if (!OWN_APIS.has(labels.api) && routes.get(labels.api)?.has(labels.route) !== true) series.delete(key);
  }
}
