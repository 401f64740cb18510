import type { Attributes, HrTime, SpanContext } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { Exchange, Reply } from '../exchange.ts';
import { redactText } from './redact.ts';
import { newSpanId } from './trace-context.ts';

/** What the spans of one process share, and the parts of the OpenTelemetry API they need, which is loaded only where tracing is on. */
export interface SpanSetting {
  readonly resource: Resource;
  readonly api: Pick<
    typeof import('@opentelemetry/api'),
    'createTraceState' | 'SpanKind' | 'SpanStatusCode' | 'TraceFlags'
  >;
}

const SCOPE = { name: 'sallyport' };
const MAX_TEXT = 512;
/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/: other methods are `_OTHER`, so that span names stay few. */
const KNOWN_METHODS = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);
const NO_ROUTE = '-';

/**
 * The spans of a finished exchange: a SERVER span and, where it went to an upstream, a CLIENT span that ends with the head of the
 * upstream's response. None where the exchange has no trace. Attributes follow the stable HTTP conventions; the query is left out,
 * and so is what the caller's credentials might be in.
 */
export function spansOf(exchange: Exchange, reply: Reply | undefined, setting: SpanSetting): ReadableSpan[] {
  const { trace } = exchange;
  if (trace === undefined) return [];
  const { api } = setting;
  const traceState = trace.traceState === undefined ? {} : { traceState: api.createTraceState(trace.traceState) };
  const inTrace = (spanId: string): SpanContext => ({
    traceId: trace.traceId,
    spanId,
    traceFlags: api.TraceFlags.SAMPLED,
    ...traceState,
  });
  const startedAt = wallClock(exchange.startedAt);
  const endedAt = wallClock(performance.now());
  const method = KNOWN_METHODS.has(exchange.method) ? exchange.method : '_OTHER';
  const failed = reply === undefined || reply.status >= 500;

  const server = spanOf(setting, {
    name: serverSpanName(method, exchange),
    kind: api.SpanKind.SERVER,
    context: inTrace(trace.spanId),
    parent: trace.parentSpanId === undefined ? undefined : { ...inTrace(trace.parentSpanId), isRemote: true },
    startedAt,
    endedAt,
    failed,
    attributes: serverAttributes(exchange, reply, method),
  });
  if (exchange.upstreamTarget === undefined) return [server];

  const answered = exchange.upstreamHeadAfter >= 0;
  const client = spanOf(setting, {
    name: method === '_OTHER' ? 'HTTP' : method,
    kind: api.SpanKind.CLIENT,
    context: inTrace(newSpanId()),
    parent: inTrace(trace.spanId),
    startedAt,
    endedAt: answered ? startedAt + exchange.upstreamHeadAfter : endedAt,
    failed: !answered || (reply?.source === 'upstream' && reply.status >= 400),
    attributes: clientAttributes(exchange, reply, method, answered),
  });
  return [server, client];
}

interface SpanFacts {
  readonly name: string;
  readonly kind: ReadableSpan['kind'];
  readonly context: SpanContext;
  readonly parent: SpanContext | undefined;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly failed: boolean;
  readonly attributes: Attributes;
}

function spanOf({ api, resource }: SpanSetting, facts: SpanFacts): ReadableSpan {
  return {
    name: facts.name,
    kind: facts.kind,
    spanContext: () => facts.context,
    ...(facts.parent === undefined ? {} : { parentSpanContext: facts.parent }),
    startTime: hrTime(facts.startedAt),
    endTime: hrTime(facts.endedAt),
    duration: hrTime(facts.endedAt - facts.startedAt),
    status: { code: facts.failed ? api.SpanStatusCode.ERROR : api.SpanStatusCode.UNSET },
    attributes: withoutUndefined(facts.attributes),
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** The exporter would send an undefined attribute as an empty one. */
function withoutUndefined(attributes: Attributes): Attributes {
  const known: Attributes = {};
  for (const name in attributes) if (attributes[name] !== undefined) known[name] = attributes[name];
  return known;
}

function serverAttributes(exchange: Exchange, reply: Reply | undefined, method: string): Attributes {
  const agent = exchange.headers.get('user-agent');
  const { name, port } = splitAuthority(exchange.authority, exchange.host);
  // The conventions ask for an error type where the status says failure, and for none elsewhere.
  const errorType =
    reply === undefined
      ? 'internal-error'
      : reply.status >= 500
        ? (reply.problem?.code ?? String(reply.status))
        : undefined;
  return {
    'http.request.method': method,
    'http.request.method_original': method === '_OTHER' ? cut(exchange.method) : undefined,
    'url.scheme': exchange.scheme,
    'url.path': cut(redactText(exchange.target.path)),
    'server.address': name,
    'server.port': port,
    'client.address': exchange.clientAddress,
    'network.peer.address': exchange.peerAddress,
    'network.protocol.name': 'http',
    'network.protocol.version': exchange.httpVersion,
    'http.route': routeTemplate(exchange),
    'http.response.status_code': reply?.status,
    'http.request.body.size': exchange.requestBytes,
    'http.response.body.size': exchange.replyBytes,
    'user_agent.original': agent === undefined ? undefined : cut(agent),
    'error.type': errorType,
    'sallyport.request_id': exchange.id,
    'sallyport.listener': exchange.listener.name,
    'sallyport.api': exchange.route?.api,
    'sallyport.route': exchange.route?.name,
    'sallyport.denied_by': exchange.deniedBy,
    'sallyport.problem': reply?.problem?.code,
    'sallyport.aborted': exchange.aborted ? true : undefined,
  };
}

function clientAttributes(exchange: Exchange, reply: Reply | undefined, method: string, answered: boolean): Attributes {
  // A reply that was masked or never came tells nothing of the upstream's status.
  const status = reply?.source === 'upstream' ? reply.status : undefined;
  const errorType = answered
    ? status !== undefined && status >= 400
      ? String(status)
      : undefined
    : (reply?.problem?.code ?? 'aborted');
  const target = exchange.upstreamTarget ?? '';
  return {
    'http.request.method': method,
    'http.request.method_original': method === '_OTHER' ? cut(exchange.method) : undefined,
    'http.response.status_code': status,
    'error.type': errorType,
    ...upstreamAddress(target),
  };
}

function upstreamAddress(target: string): Attributes {
  if (target.startsWith('unix:'))
    return { 'server.address': target.slice('unix:'.length), 'network.transport': 'unix' };
  if (!URL.canParse(target)) return { 'server.address': target };
  const { protocol, hostname, port } = new URL(target);
  const scheme = protocol.slice(0, -1);
  return {
    'url.scheme': scheme,
    'server.address': hostname,
    'server.port': port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
  };
}

function splitAuthority(authority: string, host: string): { readonly name: string; readonly port: number | undefined } {
  const port = authority.length > host.length ? Number(authority.slice(host.length + 1)) : undefined;
  return { name: host, port };
}

function serverSpanName(method: string, exchange: Exchange): string {
  const shown = method === '_OTHER' ? 'HTTP' : method;
  const route = exchange.route?.name;
  return route === undefined || route === NO_ROUTE ? shown : `${shown} ${routeTemplate(exchange) ?? route}`;
}

/** The path pattern of a route without a name of its own, which is called by its `match`; a chosen name is no template. */
function routeTemplate(exchange: Exchange): string | undefined {
  const name = exchange.route?.name ?? '';
  const at = name.indexOf(' /');
  return at < 0 ? undefined : name.slice(at + 1);
}

/** Milliseconds since the epoch of a `performance.now()`. Node's `timeOrigin` knows nothing of corrections of the clock since the start, so the offset follows it. */
function wallClock(moment: number): number {
  const offset = Date.now() - performance.now();
  if (Math.abs(offset - clockOffset) > MAX_CLOCK_DRIFT_MS) clockOffset = offset;
  return clockOffset + moment;
}

const MAX_CLOCK_DRIFT_MS = 5;
let clockOffset = performance.timeOrigin;

function hrTime(milliseconds: number): HrTime {
  const seconds = Math.trunc(milliseconds / 1000);
  return [seconds, Math.round((milliseconds - seconds * 1000) * 1e6)];
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}
