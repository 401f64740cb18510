import type { GatewayConfig } from '../config/schema.ts';
import type { Gateway } from '../gateway.ts';
import { createAccessLog } from '../observe/access-log.ts';
import { createLog, type Log } from '../observe/log.ts';
import { createMetrics, type Metrics } from '../observe/metrics.ts';
import { createTracing, type Tracing } from '../observe/trace.ts';
import { startTrace } from '../observe/trace-context.ts';

/** What a worker notes of its traffic under one configuration. Metrics outlive it; the log and the tracing follow the file. */
export interface Observers extends Pick<Gateway, 'begin' | 'done'> {
  readonly metrics: Metrics;
  readonly kept: Kept;
  snapshot(): Promise<unknown>;
  /** Writes out what is still held, and lets go of what `next` does not use any more. */
  close(next: Observers | undefined): Promise<void>;
}

/** What goes on over reloads that do not concern it, with the settings it was made from. */
interface Kept {
  readonly log: Log;
  readonly logSettings: string;
  readonly tracing: Tracing | undefined;
  readonly tracingSettings: string;
}

/** How long the last spans may take on their way to the collector. */
const SPANS_DEADLINE_MS = 2_000;

/** Makes the observers of a configuration, taking over the metrics of the one before. */
export async function createObservers(
  config: Pick<GatewayConfig, 'log' | 'tracing'>,
  version: string,
  before: Observers | undefined,
): Promise<Observers> {
  const kept = await keepOrMake(config, version, before?.kept);
  const { log, tracing } = kept;
  const logAccess = createAccessLog(log, {
    enabled: config.log.access,
    sample: config.log.sample,
    redactQuery: config.log.redactQuery,
  });
  const metrics = before?.metrics ?? createMetrics();
  const sampleRatio = tracing === undefined ? 0 : (config.tracing?.sample ?? 0);

  return {
    metrics,
    kept,
    begin(exchange) {
      metrics.begun();
      const traceparent = exchange.headers.get('traceparent');
      if (tracing === undefined && traceparent === undefined) return;
      const trace = startTrace(traceparent, exchange.headers.get('tracestate'), sampleRatio);
      // Without spans of our own the caller's stays the parent of the upstream's: one we never send would be missing.
      exchange.trace = tracing === undefined ? { ...trace, spanId: trace.parentSpanId ?? trace.spanId } : trace;
    },
    done(exchange, reply) {
      metrics.finished(exchange, reply);
      logAccess(exchange, reply);
      if (tracing !== undefined && exchange.trace?.sampled === true) tracing.record(exchange, reply);
    },
    snapshot: () => metrics.snapshot({ logLinesDropped: log.dropped, spansDropped: tracing?.dropped ?? 0 }),
    async close(next) {
      await Promise.all([
        next?.kept.log === log ? undefined : log.close(),
        next?.kept.tracing === tracing ? undefined : tracing?.close(SPANS_DEADLINE_MS),
      ]);
    },
  };
}

async function keepOrMake(
  config: Pick<GatewayConfig, 'log' | 'tracing'>,
  version: string,
  before: Kept | undefined,
): Promise<Kept> {
  const { level, format } = config.log;
  const logSettings = JSON.stringify({ level, format });
  const tracingSettings = JSON.stringify(config.tracing?.otlp ?? null);
  const sameTracing = before?.tracingSettings === tracingSettings;
  return {
    log: before?.logSettings === logSettings ? before.log : createLog({ level, format }),
    logSettings,
    tracing:
      sameTracing || config.tracing === undefined
        ? sameTracing
          ? before.tracing
          : undefined
        : await createTracing({ ...config.tracing.otlp, serviceVersion: version }),
    tracingSettings,
  };
}
