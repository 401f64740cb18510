import type { Exchange, ListenerFacts, Reply, RouteFacts } from '../exchange.ts';
import { jsonEscaped } from './json-escaped.ts';
import { loggedDetail, loggedMs, loggedPath, loggedQuery, loggedReferer, loggedText } from './logged-text.ts';
import type { QueryRedactor } from './redact.ts';

/**
 * What is known of an exchange, as `Log.line` takes it: the members of a JSON object in the order and with the names of
 * docs/observability.md, each with a comma before it. What is not known is left out.
 *
 * Templates, and few of them, take 2 µs a request where an object that a library serialises took 7 (`npm run bench`, access log on).
 * Texts go in without a look where nothing but plain ASCII can be in them: ids that `acceptableRequestId` let through or that are our
 * own, addresses in their canonical form, hexadecimal trace ids, OpenSSL's names of protocols, and what a type lists.
 */
export function jsonMembers(exchange: Exchange, reply: Reply | undefined, redactQuery: QueryRedactor): string {
  return (
    requestMembers(exchange, redactQuery) +
    passageMembers(exchange, reply) +
    callerMembers(exchange, redactQuery) +
    troubleMembers(exchange, reply)
  );
}

function requestMembers(exchange: Exchange, redactQuery: QueryRedactor): string {
  const { id, clientAddress, scheme, target } = exchange;
  const method = jsonEscaped(loggedText(exchange.method));
  const host = jsonEscaped(loggedText(exchange.authority));
  const path = jsonEscaped(loggedPath(target.path));
  const members = `,"requestId":"${id}","client":"${clientAddress}","method":"${method}","scheme":"${scheme}","host":"${host}","path":"${path}"`;
  return target.query === undefined
    ? members
    : `${members},"query":"${jsonEscaped(loggedQuery(target.query, redactQuery))}"`;
}

function passageMembers(exchange: Exchange, reply: Reply | undefined): string {
  const { route, upstreamHeadAfter, upstreamTarget } = exchange;
  let members = reply === undefined ? '' : `,"status":${reply.status}`;
  members += listenerMember(exchange.listener);
  if (route !== undefined) members += routeMembers(route);
  members += `,"ms":${loggedMs(performance.now() - exchange.startedAt)}`;
  if (upstreamHeadAfter >= 0) members += `,"upstreamMs":${loggedMs(upstreamHeadAfter)}`;
  if (upstreamTarget !== undefined) members += `,"upstream":"${jsonEscaped(upstreamTarget)}"`;
  return `${members},"bytesIn":${exchange.requestBytes},"bytesOut":${exchange.replyBytes},"http":"${exchange.httpVersion}"`;
}

function callerMembers({ headers, tls, principal }: Exchange, redactQuery: QueryRedactor): string {
  const agent = headers.get('user-agent');
  const referer = headers.get('referer');
  let members = tls === undefined ? '' : `,"tls":"${tls.protocol}"`;
  if (agent !== undefined) members += `,"agent":"${jsonEscaped(loggedText(agent))}"`;
  if (referer !== undefined) members += `,"referer":"${jsonEscaped(loggedReferer(referer, redactQuery))}"`;
  if (principal !== undefined) members += `,"principal":"${jsonEscaped(principal.id)}"`;
  return members;
}

function troubleMembers(exchange: Exchange, reply: Reply | undefined): string {
  const { deniedBy, trace, internalDetail } = exchange;
  const problem = reply?.problem;
  let members = deniedBy === undefined ? '' : `,"deniedBy":"${jsonEscaped(deniedBy)}"`;
  if (problem !== undefined) members += `,"problem":"${problem.code}"`;
  if (trace !== undefined) members += `,"traceId":"${trace.traceId}"`;
  if (exchange.aborted) members += ',"aborted":true';
  if (internalDetail !== undefined) members += `,"detail":"${jsonEscaped(loggedDetail(internalDetail))}"`;
  return members;
}

/** What is the same for many requests is written once. Weakly held: it goes with the configuration it came from. */
const ofListeners = new WeakMap<ListenerFacts, string>();
const ofRoutes = new WeakMap<RouteFacts, string>();

function listenerMember(listener: ListenerFacts): string {
  let member = ofListeners.get(listener);
  if (member === undefined) {
    member = `,"listener":"${jsonEscaped(listener.name)}"`;
    ofListeners.set(listener, member);
  }
  return member;
}

function routeMembers(route: RouteFacts): string {
  let members = ofRoutes.get(route);
  if (members === undefined) {
    members = `,"api":"${jsonEscaped(route.api)}","route":"${jsonEscaped(route.name)}"`;
    ofRoutes.set(route, members);
  }
  return members;
}
