import { Problem } from '../errors/problem.ts';
import type { RequestHead, Wire } from '../exchange.ts';
import { canonicalTarget } from '../lib/canonical-target.ts';
import { HeaderList } from '../lib/header-list.ts';
import { acceptableRequestId, newRequestId } from '../observe/request-id.ts';
import { readClientAddress, readForwardedScheme } from './client-address.ts';
import type { Connection } from './connection.ts';
import type { Http1Request } from './http1-request.ts';
import type { Post } from './post.ts';
import { type RequestFields, readRequestFields, readTrailerFields } from './request-fields.ts';

/** Where a request came in. */
export interface Arrival {
  readonly post: Post;
  readonly connection: Connection;
}

/** Makes sense of the head of an HTTP/1.x request, or refuses it. Node's parser has seen to the grammar; here is what it lets through. */
export function readHttp1Head(
  request: Http1Request,
  wire: Wire,
  upgrade: 'websocket' | undefined,
  arrival: Arrival,
): RequestHead | Problem {
  const { post, connection } = arrival;
  const httpVersion = request.httpVersion;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return BAD_VERSION;
  const method = request.method ?? '';
  if (method === 'TRACE' || method === 'CONNECT') return NOT_OFFERED;

  const fields = readRequestFields(request.rawHeaders, 0, post.limits.headerCount);
  if (fields instanceof Problem) return fields;
  const body = readFraming(fields, httpVersion);
  if (body instanceof Problem) return body;
  if (fields.expect !== undefined && httpVersion === '1.1' && fields.expect.toLowerCase() !== '100-continue')
    return BAD_EXPECTATION;

  const origin = readOrigin(fields, arrival);
  if (origin instanceof Problem) return origin;
  if (fields.host === undefined) return NO_HOST;
  const authority = connection.authority(fields.host, origin.scheme);
  if (authority === undefined) return BAD_HOST;

  const read = canonicalTarget(request.url ?? '', post.limits.targetBytes);
  if ('code' in read) return new Problem(read.code, { internal: read.reason });
  if (read.authority !== undefined) {
    // Two readers of the request may each believe another of the two (attack 10).
    if (read.scheme?.toLowerCase() !== origin.scheme) return OTHER_SCHEME;
    if (connection.authority(read.authority, origin.scheme)?.authority !== authority.authority) return OTHER_HOST;
  }
  if (read.target.path === '*' && method !== 'OPTIONS') return BAD_ASTERISK;

  const hasBody = body === undefined || body > 0;
  return {
    id: origin.id,
    listener: post.facts,
    httpVersion,
    method,
    scheme: origin.scheme,
    authority: authority.authority,
    host: authority.host,
    target: read.target,
    headers: new HeaderList(fields.kept),
    body: hasBody ? request : undefined,
    bodyLength: body === NO_BODY ? undefined : body,
    trailers: body === undefined ? () => readTrailerFields(request.rawTrailers) : noTrailers,
    upgrade,
    clientAddress: origin.clientAddress,
    peerAddress: connection.peerAddress,
    tls: connection.tls,
    wire,
  };
}

/** What a connection says of its requests, or a trusted proxy of a single one. */
export interface Origin {
  readonly id: string;
  readonly scheme: 'http' | 'https';
  readonly clientAddress: string;
}

/** Tells where a request comes from. Only a trusted proxy's fields count. */
export function readOrigin(fields: RequestFields, { post, connection }: Arrival): Origin | Problem {
  const scheme = connection.tls === undefined ? 'http' : 'https';
  if (!connection.trusted) return { id: newRequestId(), scheme, clientAddress: connection.clientAddress };
  const clientAddress = readClientAddress(fields, connection.clientAddress, post.isTrustedProxy);
  if (clientAddress === undefined) return BAD_FORWARDING;
  const id = fields.requestId;
  return {
    id: id !== undefined && acceptableRequestId(id) ? id : newRequestId(),
    scheme: readForwardedScheme(fields) ?? scheme,
    clientAddress,
  };
}

/** Bytes of the body, undefined for a chunked one, NO_BODY for none (RFC 9112 §6.3). Whatever allows two readings is refused (attack 18). */
function readFraming(fields: RequestFields, httpVersion: '1.0' | '1.1'): number | undefined | Problem {
  const { contentLength, transferEncoding } = fields;
  if (transferEncoding !== undefined) {
    if (contentLength !== undefined) return TWO_LENGTHS;
    if (httpVersion === '1.0' || transferEncoding.toLowerCase() !== 'chunked') return BAD_CODING;
    return undefined;
  }
  if (contentLength === undefined) return NO_BODY;
  return /^\d{1,15}$/.test(contentLength) ? Number(contentLength) : BAD_LENGTH;
}

export function noTrailers(): undefined {
  return undefined;
}

const NO_BODY = -1;

// Made once: a flood of bad requests builds no objects.
const NOT_OFFERED = new Problem('not-implemented', { detail: 'CONNECT and TRACE are not offered here.' });
const BAD_VERSION = new Problem('bad-request', { detail: 'The HTTP version is none of 1.0, 1.1 and 2.' });
const NO_HOST = new Problem('ambiguous-host', { detail: 'The request has no Host field.' });
export const BAD_HOST = new Problem('ambiguous-host', {
  detail: 'The Host of the request is no plain host with an optional port.',
});
const OTHER_HOST = new Problem('ambiguous-host', {
  detail: 'The request target and the Host field name different hosts.',
});
const OTHER_SCHEME = new Problem('ambiguous-host', {
  detail: 'The request target names another scheme than the one it came by.',
});
export const BAD_ASTERISK = new Problem('ambiguous-target', { detail: 'The target * is for OPTIONS only.' });
const BAD_EXPECTATION = new Problem('expectation-failed', {
  detail: 'The only expectation that can be met is 100-continue.',
});
const BAD_FORWARDING = new Problem('bad-request', {
  detail:
    'The address of the client cannot be told from Forwarded and X-Forwarded-For: they are malformed or disagree.',
});
const TWO_LENGTHS = new Problem('bad-request', {
  detail: 'The request has both Content-Length and Transfer-Encoding.',
});
const BAD_CODING = new Problem('bad-request', { detail: 'The only transfer coding taken is chunked, in HTTP/1.1.' });
const BAD_LENGTH = new Problem('bad-request', { detail: 'The Content-Length is no plain decimal number.' });
