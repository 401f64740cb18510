import type { Attributes, HrTime, SpanContext } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { Exchange, Reply } from '../exchange.ts';
import { newSpanId } from './trace-context.ts';

export interface TracingOptions {
  /** Full URL of the collector's OTLP/HTTP traces path. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceVersion: string;
}

export interface Tracing {
  /** Records a finished exchange whose trace is sampled. It never throws and never waits. */
  record(exchange: Exchange, reply: Reply | undefined): void;
  /** Spans dropped because the collector was behind. */
  readonly dropped: number;
  /** Sends what is queued, for at most so long. */
  close(deadlineMs: number): Promise<void>;
}

/** Spans that wait for the collector; more are dropped and counted. */
const MAX_QUEUE = 4096;
const EXPORT_EVERY_MS = 1_000;
const EXPORT_TIMEOUT_MS = 10_000;

/** Opens the way to an OpenTelemetry collector. The libraries are loaded here, so that a gateway without tracing does not pay for them. */
export async function createTracing(options: TracingOptions): Promise<Tracing> {
  const [{ BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }, api] = await Promise.all([
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/api'),
  ]);
  const exporter = new OTLPTraceExporter({ url: options.endpoint, headers: { ...options.headers }, timeoutMillis: EXPORT_TIMEOUT_MS });
  const processor = new BatchSpanProcessor(exporter, { maxQueueSize: MAX_QUEUE, scheduledDelayMillis: EXPORT_EVERY_MS, exportTimeoutMillis: EXPORT_TIMEOUT_MS });
  const resource = resourceFromAttributes({ 'service.name': 'sallyport', 'service.version': options.serviceVersion });
  const instrumentationScope = { name: 'sallyport', version: options.serviceVersion };
  let queued = 0;
  let dropped = 0;
  const counter = setInterval(() => {
    queued = 0; // the processor empties its queue at this pace
  }, EXPORT_EVERY_MS).unref();

  function end(span: Pick<ReadableSpan, 'name' | 'kind' | 'startTime' | 'endTime' | 'duration' | 'attributes' | 'status'>, context: SpanContext, parent: SpanContext | undefined): void {
    if (queued >= MAX_QUEUE) {
      dropped += 1;
      return;
    }
    queued += 1;
    processor.onEnd({
      ...span,
      spanContext: () => context,
      ...(parent === undefined ? {} : { parentSpanContext: parent }),
      links: [],
      events: [],
      ended: true,
      resource,
      instrumentationScope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    });
  }

  return {
    record(exchange, reply) {
      const trace = exchange.trace;
      if (trace === undefined) return;
      const traceFlags = api.TraceFlags.SAMPLED;
      const context: SpanContext = { traceId: trace.traceId, spanId: trace.spanId, traceFlags };
      const parent = trace.parentSpanId === undefined ? undefined : { traceId: trace.traceId, spanId: trace.parentSpanId, traceFlags, isRemote: true };
      const endedAt = performance.now();
      const status = reply?.status ?? 0;
      const failed = status === 0 || status >= 500;
      const code = failed ? api.SpanStatusCode.ERROR : api.SpanStatusCode.UNSET;
      end({ name: `${exchange.method} ${exchange.route?.name ?? ''}`.trim(), kind: api.SpanKind.SERVER, ...times(exchange.startedAt, endedAt), attributes: serverAttributes(exchange, reply), status: { code } }, context, parent);
      if (exchange.upstreamTarget === undefined) return;
      const child: SpanContext = { traceId: trace.traceId, spanId: newSpanId(), traceFlags };
      const upstreamFailed = reply?.problem?.blame === 'upstream';
      const headAt = exchange.upstreamHeadAfter < 0 ? endedAt : exchange.startedAt + exchange.upstreamHeadAfter;
      end(
        {
          name: exchange.method,
          kind: api.SpanKind.CLIENT,
          ...times(exchange.startedAt, headAt),
          attributes: { 'http.request.method': exchange.method, 'server.address': exchange.upstreamTarget, ...(upstreamFailed ? { 'error.type': reply.problem?.code ?? '' } : { 'http.response.status_code': status }) },
          status: { code: upstreamFailed ? api.SpanStatusCode.ERROR : api.SpanStatusCode.UNSET },
        },
        child,
        context,
      );
    },
    get dropped() {
      return dropped;
    },
    async close(deadlineMs) {
      clearInterval(counter);
      const deadline = new Promise<void>((resolve) => setTimeout(resolve, deadlineMs).unref());
      await Promise.race([processor.shutdown().catch(() => {}), deadline]);
    },
  };
}

/** The stable HTTP semantic conventions of OpenTelemetry. The query is left out: it may hold secrets. */
function serverAttributes(exchange: Exchange, reply: Reply | undefined): Attributes {
  const agent = exchange.headers.get('user-agent');
  return {
    'http.request.method': exchange.method,
    'url.scheme': exchange.scheme,
    'url.path': exchange.target.path,
    'server.address': exchange.host,
    'client.address': exchange.clientAddress,
    'network.protocol.version': exchange.httpVersion,
    ...(exchange.route === undefined ? {} : { 'http.route': exchange.route.name, 'sallyport.api': exchange.route.api }),
    ...(reply === undefined ? {} : { 'http.response.status_code': reply.status }),
    ...(reply?.problem === undefined ? {} : { 'error.type': reply.problem.code }),
    ...(agent === undefined ? {} : { 'user_agent.original': agent }),
    'sallyport.request_id': exchange.id,
  };
}

function times(start: number, end: number): Pick<ReadableSpan, 'startTime' | 'endTime' | 'duration'> {
  return { startTime: hrTime(performance.timeOrigin + start), endTime: hrTime(performance.timeOrigin + end), duration: hrTime(end - start) };
}

/** Seconds and nanoseconds. */
function hrTime(milliseconds: number): HrTime {
  const seconds = Math.floor(milliseconds / 1000);
  return [seconds, Math.round((milliseconds - seconds * 1000) * 1e6)];
}
