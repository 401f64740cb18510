import type { Exchange, Reply } from '../exchange.ts';
import { loggedDetail, loggedMs, loggedPath, loggedQuery, loggedReferer, loggedText } from './logged-text.ts';
import type { QueryRedactor } from './redact.ts';

/** The same facts under the names of the Elastic Common Schema 8; what it has no name for stands under `sallyport`. */
export function ecsFacts(exchange: Exchange, reply: Reply | undefined, redactQuery: QueryRedactor): object {
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
        method: loggedText(exchange.method),
        referrer: referer === undefined ? undefined : loggedReferer(referer, redactQuery),
        body: { bytes: exchange.requestBytes },
      },
      response: { status_code: reply?.status, body: { bytes: exchange.replyBytes } },
    },
    url: {
      scheme: exchange.scheme,
      domain: loggedText(exchange.host),
      path: loggedPath(target.path),
      query: target.query === undefined ? undefined : loggedQuery(target.query, redactQuery),
    },
    client: { ip: exchange.clientAddress },
    user: exchange.principal === undefined ? undefined : { id: exchange.principal.id },
    user_agent: agent === undefined ? undefined : { original: loggedText(agent) },
    tls:
      tls === undefined
        ? undefined
        : { version: tls.protocol.replace(/^TLSv/, ''), version_protocol: 'tls', cipher: tls.cipher },
    trace: trace === undefined ? undefined : { id: trace.traceId },
    span: trace === undefined ? undefined : { id: trace.spanId },
    error:
      detail === undefined && problem === undefined
        ? undefined
        : { code: problem, message: detail === undefined ? undefined : loggedDetail(detail) },
    sallyport: {
      listener: exchange.listener.name,
      authority: loggedText(exchange.authority),
      api: exchange.route?.api,
      route: exchange.route?.name,
      upstream: exchange.upstreamTarget,
      upstream_ms: exchange.upstreamHeadAfter < 0 ? undefined : loggedMs(exchange.upstreamHeadAfter),
      denied_by: exchange.deniedBy,
      aborted: exchange.aborted ? true : undefined,
    },
  };
}
