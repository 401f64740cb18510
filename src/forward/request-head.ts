import type { Exchange } from '../exchange.ts';
import { GATEWAY_COOKIE_PREFIX } from '../identity/session-cookie.ts';
import { withoutGatewayCookies } from '../identity/session-cookie-field.ts';
import { forwardingFieldNames, hopByHopFieldNames, lowerCaseName, nominatedFields } from '../lib/http-fields.ts';
import { traceparentFor } from '../observe/trace-context.ts';
import type { TargetAddress } from './target-address.ts';

/** What of a request is decided by the route rather than by the client. */
export interface HeadPlan {
  /** Whether the Host field keeps the authority the client asked for; otherwise it is the target's. */
  readonly preserveHost: boolean;
  /** Replaces the first `length` characters of the path. */
  readonly rewrite: { readonly length: number; readonly prefix: string } | undefined;
  /** The gateway's own apps read its cookies; for everyone else they do not exist. */
  readonly seesGatewayCookies: boolean;
}

/**
 * The head of the request an upstream gets, ready for the socket. The client's fields are passed on except those of its
 * connection and those the gateway makes itself; the listener has already dropped what no client may say.
 */
export function requestHead(exchange: Exchange, plan: HeadPlan, target: Pick<TargetAddress, 'authority'>): string {
  const host = plan.preserveHost ? exchange.authority : target.authority;
  let head = `${exchange.method} ${upstreamTarget(exchange, plan)} HTTP/1.1\r\nHost: ${host}\r\n`;

  const { set, remove } = exchange.upstreamHeaders;
  const nominated = nominatedFields(exchange.headers.joined('connection') ?? '');
  const raw = exchange.headers.raw;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string; // at < length
    const lower = lowerCaseName(name);
    if (ENDS_HERE.has(lower) || nominated.includes(lower) || remove.includes(lower) || set.has(lower)) continue;
    const value = raw[at + 1] as string; // the list has pairs
    head += plan.seesGatewayCookies || !holdsGatewayCookie(lower, value) ? `${name}: ${value}\r\n` : cookieField(value);
  }

  head += forwardingFields(exchange);
  for (let at = 0; at < set.raw.length; at += 2) head += `${set.raw[at]}: ${set.raw[at + 1]}\r\n`;
  return `${head}${framing(exchange)}\r\n`;
}

/** An upstream that saw the cookie of a session could use it everywhere that session opens. */
function holdsGatewayCookie(lowerName: string, value: string): boolean {
  return lowerName === 'cookie' && value.includes(GATEWAY_COOKIE_PREFIX);
}

function cookieField(value: string): string {
  const rest = withoutGatewayCookies([value]) ?? value;
  return rest === '' ? '' : `Cookie: ${rest}\r\n`;
}

/** Fields a client sends that end here: those of its connection, and those the gateway writes itself. Via is extended rather than replaced. */
const ENDS_HERE: ReadonlySet<string> = new Set([
  ...hopByHopFieldNames,
  ...forwardingFieldNames,
  'host',
  'content-length',
  'expect',
]);

function upstreamTarget(exchange: Exchange, plan: HeadPlan): string {
  const { path } = exchange.target;
  const query = exchange.upstreamQuery;
  const rewritten = plan.rewrite === undefined ? path : rewritePath(path, plan.rewrite);
  return query === undefined ? rewritten : `${rewritten}?${query}`;
}

function rewritePath(path: string, rewrite: { readonly length: number; readonly prefix: string }): string {
  const rest = path.slice(rewrite.length);
  if (rest === '') return rewrite.prefix === '' ? '/' : rewrite.prefix;
  return rewrite.prefix + rest;
}

function forwardingFields(exchange: Exchange): string {
  const client = exchange.clientAddress;
  const via = exchange.headers.get('via');
  const chain = exchange.peerAddress === client ? client : `${client}, ${exchange.peerAddress}`;
  let fields =
    `X-Forwarded-For: ${chain}\r\nX-Forwarded-Proto: ${exchange.scheme}\r\nX-Forwarded-Host: ${exchange.authority}\r\n` +
    `Forwarded: for=${forwardedNode(client)};host="${exchange.authority}";proto=${exchange.scheme}\r\n` +
    `Via: ${via === undefined ? '' : `${via}, `}${exchange.httpVersion} sallyport\r\nX-Request-Id: ${exchange.id}\r\n`;
  const trace = exchange.trace;
  if (trace !== undefined) {
    fields += `traceparent: ${traceparentFor(trace)}\r\n`;
    if (trace.traceState !== undefined) fields += `tracestate: ${trace.traceState}\r\n`;
  }
  return fields;
}

/** RFC 7239 §6: an IPv6 address is bracketed and quoted. */
function forwardedNode(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}

/** How the body is delimited on this hop (RFC 9112 §6.3), and what becomes of the connection. */
function framing(exchange: Exchange): string {
  if (exchange.upgrade !== undefined) return `Connection: Upgrade\r\nUpgrade: ${exchange.upgrade}\r\n`;
  if (exchange.body === undefined) return exchange.bodyLength === 0 ? 'Content-Length: 0\r\n' : '';
  return exchange.bodyLength === undefined
    ? 'Transfer-Encoding: chunked\r\n'
    : `Content-Length: ${exchange.bodyLength}\r\n`;
}
