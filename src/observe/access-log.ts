import type { Exchange, Reply } from '../exchange.ts';
import type { Log } from './log.ts';
import { createQueryRedactor, redactText } from './redact.ts';

export interface AccessLogOptions {
  readonly enabled: boolean;
  /** The share of successful requests that are logged, 0 to 1; those answered with an error always are. */
  readonly sample: number;
  readonly redactQuery: readonly string[];
}

/** Long values are cut, so that a line fits into one write of a pipe. */
const MAX_TEXT = 512;
const MAX_DETAIL = 1024;
/** How much of a text is looked through for credentials; what lies beyond is cut. */
const MAX_SEARCHED = 8192;

/** Makes the function that writes a line for a finished exchange. docs/observability.md lists the fields. */
export function createAccessLog(
  log: Log,
  options: AccessLogOptions,
): (exchange: Exchange, reply: Reply | undefined) => void {
  const redactQuery = createQueryRedactor(options.redactQuery);
  const facts = log.format === 'ecs' ? ecsFacts : plainFacts;
  const informs = log.level === 'info' || log.level === 'debug';

  function logExchange(exchange: Exchange, reply: Reply | undefined): void {
    const failed = reply === undefined || reply.status >= 500 || exchange.internalDetail !== undefined;
    if (failed && reply?.problem?.blame !== 'client') {
      if (log.level !== 'error') log.warn(facts(exchange, reply, redactQuery), 'request');
      return;
    }
    if (!informs || !(failed || options.enabled)) return;
    if (!failed && options.sample < 1 && reply.status < 400 && Math.random() >= options.sample) return;
    log.info(facts(exchange, reply, redactQuery), 'request');
  }

  return logExchange;
}

type QueryRedactor = (query: string) => string;

function plainFacts(exchange: Exchange, reply: Reply | undefined, redactQuery: QueryRedactor): object {
  const { target, headers } = exchange;
  const agent = headers.get('user-agent');
  const referer = headers.get('referer');
  const detail = exchange.internalDetail;
  // Undefined members are left out of the line.
  return {
    requestId: exchange.id,
    client: exchange.clientAddress,
    method: cut(exchange.method, MAX_TEXT),
    scheme: exchange.scheme,
    host: cut(exchange.authority, MAX_TEXT),
    path: cut(redactText(target.path), MAX_TEXT),
    query: target.query === undefined ? undefined : cut(redactQuery(target.query), MAX_TEXT),
    status: reply?.status,
    listener: exchange.listener.name,
    api: exchange.route?.api,
    route: exchange.route?.name,
    ms: round(performance.now() - exchange.startedAt),
    upstreamMs: exchange.upstreamHeadAfter < 0 ? undefined : round(exchange.upstreamHeadAfter),
    upstream: exchange.upstreamTarget,
    bytesIn: exchange.requestBytes,
    bytesOut: exchange.replyBytes,
    http: exchange.httpVersion,
    tls: exchange.tls?.protocol,
    agent: agent === undefined ? undefined : cut(agent, MAX_TEXT),
    referer: referer === undefined ? undefined : cut(redactReferer(referer, redactQuery), MAX_TEXT),
    principal: exchange.principal?.id,
    deniedBy: exchange.deniedBy,
    problem: reply?.problem?.code,
    traceId: exchange.trace?.traceId,
    aborted: exchange.aborted ? true : undefined,
    detail: detail === undefined ? undefined : redactDetail(detail),
  };
}

/** The same facts under the names of the Elastic Common Schema 8; what it has no name for stands under `sallyport`. */
function ecsFacts(exchange: Exchange, reply: Reply | undefined, redactQuery: QueryRedactor): object {
  const { target, headers, tls, trace } = exchange;
  const agent = headers.get('user-agent');
  const referer = headers.get('referer');
  const detail = exchange.internalDetail;
  const problem = reply?.problem?.code;
  return {
    event: {
      kind: 'event',
      category: ['web'],
      type: ['access'],
      duration: Math.round((performance.now() - exchange.startedAt) * 1e6),
      outcome: (reply?.status ?? 500) < 400 ? 'success' : 'failure',
    },
    http: {
      version: exchange.httpVersion,
      request: {
        id: exchange.id,
        method: cut(exchange.method, MAX_TEXT),
        referrer: referer === undefined ? undefined : cut(redactReferer(referer, redactQuery), MAX_TEXT),
        body: { bytes: exchange.requestBytes },
      },
      response: { status_code: reply?.status, body: { bytes: exchange.replyBytes } },
    },
    url: {
      scheme: exchange.scheme,
      domain: cut(exchange.host, MAX_TEXT),
      path: cut(redactText(target.path), MAX_TEXT),
      query: target.query === undefined ? undefined : cut(redactQuery(target.query), MAX_TEXT),
    },
    client: { ip: exchange.clientAddress },
    user: exchange.principal === undefined ? undefined : { id: exchange.principal.id },
    user_agent: agent === undefined ? undefined : { original: cut(agent, MAX_TEXT) },
    tls:
      tls === undefined
        ? undefined
        : { version: tls.protocol.replace(/^TLSv/, ''), version_protocol: 'tls', cipher: tls.cipher },
    trace: trace === undefined ? undefined : { id: trace.traceId },
    span: trace === undefined ? undefined : { id: trace.spanId },
    error:
      detail === undefined && problem === undefined
        ? undefined
        : { code: problem, message: detail === undefined ? undefined : redactDetail(detail) },
    sallyport: {
      listener: exchange.listener.name,
      authority: cut(exchange.authority, MAX_TEXT),
      api: exchange.route?.api,
      route: exchange.route?.name,
      upstream: exchange.upstreamTarget,
      upstream_ms: exchange.upstreamHeadAfter < 0 ? undefined : round(exchange.upstreamHeadAfter),
      denied_by: exchange.deniedBy,
      aborted: exchange.aborted ? true : undefined,
    },
  };
}

function redactReferer(referer: string, redactQuery: QueryRedactor): string {
  const mark = referer.indexOf('?');
  const bare = redactText(mark < 0 ? referer : referer.slice(0, mark));
  return mark < 0 ? bare : `${bare}?${redactQuery(referer.slice(mark + 1))}`;
}

/** Redacted before it is cut: a credential that is cut in two might not be known for one. */
function redactDetail(detail: string): string {
  return cut(redactText(cut(detail, MAX_SEARCHED)), MAX_DETAIL);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
