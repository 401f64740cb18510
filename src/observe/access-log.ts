import type { Exchange, Reply } from '../exchange.ts';
import type { Log } from './log.ts';
import { createQueryRedactor, redactText } from './redact.ts';

export interface AccessLogOptions {
  readonly enabled: boolean;
  /** The share of requests that are logged, 0 to 1; failures of the gateway or an upstream always are. */
  readonly sample: number;
  readonly redactQuery: readonly string[];
}

/** Long values are cut, so that a line fits into one write of a pipe. */
const MAX_TEXT = 512;
const MAX_DETAIL = 1024;

/** Makes the function that writes a line for a finished exchange. docs/observability.md lists the fields. */
export function createAccessLog(log: Log, options: AccessLogOptions): (exchange: Exchange, reply: Reply | undefined) => void {
  const redactQuery = createQueryRedactor(options.redactQuery);
  const facts = log.format === 'ecs' ? ecsFacts : plainFacts;

  function logExchange(exchange: Exchange, reply: Reply | undefined): void {
    const failed = reply === undefined || reply.status >= 500 || exchange.internalDetail !== undefined;
    if (!failed && (!options.enabled || (options.sample < 1 && Math.random() >= options.sample))) return;
    const line = facts(exchange, reply, redactQuery);
    if (failed && reply?.problem?.blame !== 'client') log.warn(line, 'request');
    else log.info(line, 'request');
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
    method: exchange.method,
    scheme: exchange.scheme,
    host: exchange.authority,
    path: cut(target.path, MAX_TEXT),
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
    detail: detail === undefined ? undefined : cut(redactText(detail), MAX_DETAIL),
  };
}

/** The same facts under the names of the Elastic Common Schema 8. */
function ecsFacts(exchange: Exchange, reply: Reply | undefined, redactQuery: QueryRedactor): object {
  const { target, headers } = exchange;
  const agent = headers.get('user-agent');
  const detail = exchange.internalDetail;
  return {
    event: { category: ['web'], duration: Math.round((performance.now() - exchange.startedAt) * 1e6), outcome: (reply?.status ?? 500) < 400 ? 'success' : 'failure' },
    http: {
      version: exchange.httpVersion,
      request: { id: exchange.id, method: exchange.method, body: { bytes: exchange.requestBytes } },
      response: { status_code: reply?.status, body: { bytes: exchange.replyBytes } },
    },
    url: {
      scheme: exchange.scheme,
      domain: exchange.host,
      path: cut(target.path, MAX_TEXT),
      query: target.query === undefined ? undefined : cut(redactQuery(target.query), MAX_TEXT),
    },
    client: { ip: exchange.clientAddress },
    server: { address: exchange.upstreamTarget },
    user: exchange.principal === undefined ? undefined : { id: exchange.principal.id },
    user_agent: agent === undefined ? undefined : { original: cut(agent, MAX_TEXT) },
    tls: exchange.tls === undefined ? undefined : { version: exchange.tls.protocol, cipher: exchange.tls.cipher },
    trace: exchange.trace === undefined ? undefined : { id: exchange.trace.traceId },
    error: detail === undefined ? undefined : { code: reply?.problem?.code, message: cut(redactText(detail), MAX_DETAIL) },
    sallyport: {
      listener: exchange.listener.name,
      api: exchange.route?.api,
      route: exchange.route?.name,
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

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
