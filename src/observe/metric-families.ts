import type { LabelledTotals } from './labelled-totals.ts';
import { addSums, BOUNDS, newSums, type Series, type Sums } from './series.ts';

/** A metric with all its values, in the form prom-client adds up over workers; plain data, so that it can cross threads. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator: 'sum' | 'max';
  readonly values: readonly MetricValue[];
}

export interface MetricValue {
  /** Where it differs from the family's name: `_bucket`, `_sum` and `_count` of a histogram. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** What one worker has counted since it began; `source` names the worker. */
export interface MetricsSnapshot {
  readonly source: string;
  readonly families: readonly MetricFamily[];
}

interface WorkerSums {
  readonly series: Iterable<Series>;
  readonly denials: LabelledTotals;
  readonly problems: LabelledTotals;
  /** Labels are a problem code, a space and a target. */
  readonly upstreamFailures: LabelledTotals;
  readonly aborted: LabelledTotals;
  readonly accepted: LabelledTotals;
  readonly connections: LabelledTotals;
  readonly inFlight: number;
  readonly logLinesDropped: number;
  readonly spansDropped: number;
  readonly eventLoopDelaySeconds: number;
  readonly heapBytes: number;
}

// biome-ignore format: aligned on purpose, one metric a row
/** Every metric of a worker. docs/observability.md explains them; a test holds the two together. */
export function workerFamilies(sums: WorkerSums): readonly MetricFamily[] {
  const series = [...sums.series];
  return [
    counter('sallyport_requests_total', 'Requests answered, or cut before any answer (status 0).', series.map(({ labels, count }) => ({ labels: { ...labels }, value: count }))),
    ...byRoute(series),
    counter('sallyport_denials_total',           'Requests a policy denied.',                              labelled(sums.denials, 'policy')),
    counter('sallyport_problems_total',          'Problems told to clients.',                              labelled(sums.problems, 'code')),
    counter('sallyport_upstream_failures_total', 'Requests an upstream failed.',                           upstreamFailures(sums.upstreamFailures)),
    counter('sallyport_aborted_total',           'Requests whose client went away.',                       labelled(sums.aborted, 'listener')),
    counter('sallyport_connections_total',       'Connections accepted.',                                  labelled(sums.accepted, 'listener')),
    gauge  ('sallyport_connections',             'Open client connections.',                        'sum', labelled(sums.connections, 'listener')),
    gauge  ('sallyport_requests_in_flight',      'Requests being answered.',                        'sum', one(sums.inFlight)),
    gauge  ('sallyport_workers',                 'Worker threads that answered this scrape.',       'sum', one(1)),
    gauge  ('sallyport_worker_heap_bytes',       'JavaScript heap in use by all worker threads.',   'sum', one(sums.heapBytes)),
    gauge  ('sallyport_event_loop_delay_p99_seconds', 'Event loop delay of the slowest worker, 99th percentile since the scrape before.', 'max', one(sums.eventLoopDelaySeconds)),
    counter('sallyport_log_lines_dropped_total', 'Log lines dropped because their reader was behind or gone.', one(sums.logLinesDropped)),
    counter('sallyport_spans_dropped_total',     'Spans dropped because the collector was behind or gone.',    one(sums.spansDropped)),
  ];
}

interface RouteSums {
  readonly labels: Readonly<Record<'api' | 'route', string>>;
  readonly duration: Sums;
  readonly upstream: Sums;
  bytesIn: number;
  bytesOut: number;
}

/** What is not told apart by method and status: a histogram of fifteen buckets for each of them would be too many series. */
function byRoute(series: readonly Series[]): readonly MetricFamily[] {
  const routes = new Map<string, RouteSums>();
  for (const { labels, duration, upstream, bytesIn, bytesOut } of series) {
    const key = `${labels.api} ${labels.route}`;
    let route = routes.get(key);
    if (route === undefined) {
      route = {
        labels: { api: labels.api, route: labels.route },
        duration: newSums(),
        upstream: newSums(),
        bytesIn: 0,
        bytesOut: 0,
      };
      routes.set(key, route);
    }
    addSums(route.duration, duration);
    addSums(route.upstream, upstream);
    route.bytesIn += bytesIn;
    route.bytesOut += bytesOut;
  }
  const all = [...routes.values()];
  const bytes = (which: 'bytesIn' | 'bytesOut') => all.map((route) => ({ labels: route.labels, value: route[which] }));
  return [
    histogram(
      'sallyport_request_duration_seconds',
      'From the head of a request to the end of its reply.',
      all,
      'duration',
    ),
    histogram(
      'sallyport_upstream_duration_seconds',
      'From the head of a request to the head of the upstream response.',
      all,
      'upstream',
    ),
    counter('sallyport_request_bytes_total', 'Bytes of request bodies.', bytes('bytesIn')),
    counter('sallyport_reply_bytes_total', 'Bytes of reply bodies.', bytes('bytesOut')),
  ];
}

function histogram(
  name: string,
  help: string,
  routes: readonly RouteSums[],
  which: 'duration' | 'upstream',
): MetricFamily {
  const values: MetricValue[] = [];
  for (const route of routes) {
    const { count, seconds, buckets } = route[which];
    if (count === 0) continue;
    let below = 0;
    for (const [at, bound] of [...BOUNDS, '+Inf'].entries()) {
      below += buckets[at] ?? 0;
      values.push({ metricName: `${name}_bucket`, labels: { le: bound, ...route.labels }, value: below });
    }
    values.push({ metricName: `${name}_sum`, labels: route.labels, value: seconds });
    values.push({ metricName: `${name}_count`, labels: route.labels, value: count });
  }
  return { name, help, type: 'histogram', aggregator: 'sum', values };
}

function counter(name: string, help: string, values: readonly MetricValue[]): MetricFamily {
  return { name, help, type: 'counter', aggregator: 'sum', values };
}

function gauge(
  name: string,
  help: string,
  aggregator: MetricFamily['aggregator'],
  values: readonly MetricValue[],
): MetricFamily {
  return { name, help, type: 'gauge', aggregator, values };
}

function one(value: number): readonly MetricValue[] {
  return [{ labels: {}, value }];
}

function labelled(totals: LabelledTotals, label: string): readonly MetricValue[] {
  return Array.from(totals.entries(), ([value, sum]) => ({ labels: { [label]: value }, value: sum }));
}

function upstreamFailures(totals: LabelledTotals): readonly MetricValue[] {
  return Array.from(totals.entries(), ([label, value]) => {
    const space = label.indexOf(' ');
    return {
      labels: { target: space < 0 ? label : label.slice(space + 1), code: space < 0 ? label : label.slice(0, space) },
      value,
    };
  });
}
