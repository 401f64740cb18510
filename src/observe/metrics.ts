import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Problem } from '../errors/problem.ts';
import type { Exchange, Reply } from '../exchange.ts';
import { LabelledTotals } from './labelled-totals.ts';
import { type MetricsSnapshot, workerFamilies } from './metric-families.ts';
import { mergeSeries, observeSeconds, type Series } from './series.ts';
import { SeriesTable } from './series-table.ts';

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

const DELAY_RESOLUTION_MS = 10;

/** The parts of the gateway's own that no configuration lists: its internal pages, and what no route matched. */
const OWN_APIS: ReadonlySet<string> = new Set(['sallyport', '-']);

/**
 * The metrics of one worker. The hot path adds to plain numbers found by a few look-ups; prom-client's own look-up by labels would
 * cost more than the rest of a small request.
 */
export function createMetrics(): Metrics {
  let current = new SeriesTable();
  /** Of the configurations before, whose routes would hold on to them. */
  let kept = new Map<string, Series>();
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
    const sums = current.find(exchange, reply?.status ?? 0);
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

  function allSeries(): Map<string, Series> {
    return mergeSeries([kept.values(), current.all()]);
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
      kept = allSeries();
      removeUnpublished(kept, published);
      current = new SeriesTable();
    },
    async snapshot({ logLinesDropped, spansDropped }) {
      const eventLoopDelaySeconds = Math.max(
        0,
        delay.count === 0 ? 0 : delay.percentile(99) / 1e9 - DELAY_RESOLUTION_MS / 1e3,
      );
      delay.reset();
      const families = workerFamilies({
        series: allSeries().values(),
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
