import type { Agent } from 'node:http';
import { Duplex } from 'node:stream';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Exchange, Reply } from '../exchange.ts';
import { type SpanSetting, spansOf } from './span.ts';

export interface TracingOptions {
  /** The collector's URL for traces, path included. */
  readonly endpoint: string;
  /** Fields sent along, such as an API key. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceVersion: string;
}

/** Sends the spans of sampled exchanges to a collector, without ever holding one up. */
export interface Tracing {
  /** Called once an exchange is finished and `exchange.trace.sampled` is true. */
  record(exchange: Exchange, reply: Reply | undefined): void;
  /** Spans that never reached the collector: it was behind, refused them, or did not answer. */
  readonly dropped: number;
  /** Sends what is left, giving up after `deadlineMs` milliseconds. Nothing may be recorded after it. */
  close(deadlineMs: number): Promise<void>;
}

/** Spans kept for a collector that is behind, those on their way included; more are dropped and counted. */
const MAX_PENDING_SPANS = 4096;
const BATCH_SPANS = 512;
const BATCH_EVERY_MS = 2000;
/** For one batch, its retries included. */
const EXPORT_TIMEOUT_MS = 10_000;
/** `close` sends all batches at once; the exporter refuses those beyond its limit. */
const CONCURRENT_EXPORTS = MAX_PENDING_SPANS / BATCH_SPANS + 1;
const CONNECTIONS = 2;

/** Opens the way to a collector over OTLP/HTTP (JSON). The OpenTelemetry libraries are loaded here, so that a gateway without tracing has no part of them. */
export async function createTracing(options: TracingOptions): Promise<Tracing> {
  const [api, { BatchSpanProcessor }, { OTLPTraceExporter }, resources] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const { Agent: AgentOfScheme } = options.endpoint.startsWith('https:')
    ? await import('node:https')
    : await import('node:http');
  const agent = new AgentOfScheme({ keepAlive: true, maxSockets: CONNECTIONS, timeout: EXPORT_TIMEOUT_MS });
  const exporter = new CountingExporter(
    new OTLPTraceExporter({
      url: options.endpoint,
      headers: { ...options.headers },
      timeoutMillis: EXPORT_TIMEOUT_MS,
      concurrencyLimit: CONCURRENT_EXPORTS,
      httpAgentOptions: () => agent,
    }),
  );
  const processor = new BatchSpanProcessor(exporter, {
    maxQueueSize: MAX_PENDING_SPANS,
    maxExportBatchSize: BATCH_SPANS,
    scheduledDelayMillis: BATCH_EVERY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const setting: SpanSetting = { api, resource: describeGateway(resources, options.serviceVersion) };
  let closed = false;

  return {
    record(exchange, reply) {
      for (const span of spansOf(exchange, reply, setting)) {
        if (closed || exporter.pending >= MAX_PENDING_SPANS) {
          exporter.dropped += 1;
          continue;
        }
        exporter.pending += 1;
        processor.onEnd(span);
      }
    },
    get dropped() {
      return exporter.dropped;
    },
    async close(deadlineMs) {
      closed = true;
      let deadline: NodeJS.Timeout | undefined;
      await Promise.race([
        processor.shutdown().catch(() => undefined), // what was refused is counted
        new Promise((resolve) => {
          deadline = setTimeout(resolve, deadlineMs);
        }),
      ]);
      clearTimeout(deadline);
      exporter.giveUp();
      // The exporter's retries go on for a while; this ends them at the next attempt.
      agent.createConnection = refuseConnection;
      agent.destroy();
    },
  };
}

/** Tells the agent of an error the exporter does not try again after. */
const refuseConnection: Agent['createConnection'] = (_options, callback) => {
  callback?.(new Error('tracing is closed'), NO_STREAM);
  return undefined;
};

/** The callback's type wants a stream beside an error too; nobody looks at it. */
const NO_STREAM = new Duplex();

/** What an operator may say of this instance with OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME goes before what we say. */
function describeGateway(
  resources: typeof import('@opentelemetry/resources'),
  version: string,
): SpanSetting['resource'] {
  const own = resources.resourceFromAttributes({ 'service.name': 'sallyport', 'service.version': version });
  const told = resources.detectResources({ detectors: [resources.envDetector, resources.serviceInstanceIdDetector] });
  return resources.defaultResource().merge(own).merge(told);
}

type ExportDone = Parameters<SpanExporter['export']>[1];
type ExportResult = Parameters<ExportDone>[0];

const SUCCESS = 0; // ExportResultCode
const FAILED: ExportResult = { code: 1 };

/** Keeps account of the spans between `record` and the collector's answer; the processor's own count is not to be had. */
class CountingExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #underWay = new Set<ExportDone>();
  pending = 0;
  dropped = 0;

  constructor(exporter: SpanExporter) {
    this.#exporter = exporter;
  }

  export(spans: ReadableSpan[], done: ExportDone): void {
    const settle: ExportDone = (result) => {
      if (!this.#underWay.delete(settle)) return;
      this.pending -= spans.length;
      if (result.code !== SUCCESS) this.dropped += spans.length;
      done(result);
    };
    this.#underWay.add(settle);
    this.#exporter.export(spans, settle);
  }

  /** Whatever has no answer yet counts as dropped. */
  giveUp(): void {
    for (const settle of [...this.#underWay]) settle(FAILED);
    this.dropped += this.pending;
    this.pending = 0;
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}
