import { METHODS } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { Problem } from '../errors/problem.ts';
import type { RequestHead, Wire } from '../exchange.ts';
import { canonicalTarget } from '../lib/canonical-target.ts';
import { HeaderList } from '../lib/header-list.ts';
import { type Arrival, BAD_ASTERISK, BAD_HOST, noTrailers, readOrigin } from './http1-head.ts';
import { type RequestFields, readRequestFields } from './request-fields.ts';

/** What a stream brings besides its fields. */
export interface StreamFacts {
  readonly stream: ServerHttp2Stream;
  /** The request ended with its head. */
  readonly hasEnded: boolean;
  readonly trailers: () => readonly string[] | undefined;
}

/**
 * Makes sense of the head of an HTTP/2 request, or refuses it. nghttp2 has reset streams with bad names, fields of the
 * connection, missing, repeated or misplaced pseudo-header fields, and lengths that lie (RFC 9113 §8.1.1, §8.2, §8.3).
 */
export function readHttp2Head(raw: string[], facts: StreamFacts, wire: Wire, arrival: Arrival): RequestHead | Problem {
  const { post, connection } = arrival;
  if (sizeOf(raw) > post.limits.headerBytes) return TOO_LARGE;
  const pseudo = readPseudoFields(raw);
  const { method, path } = pseudo;
  if (method === 'TRACE' || method === 'CONNECT') return NOT_OFFERED;
  if (method === undefined || path === undefined || pseudo.scheme === undefined) return INCOMPLETE;
  // HTTP/2 leaves the choice of any token; what HTTP/1.1 would refuse is refused here too, for upstreams speak that.
  if (!KNOWN_METHODS.has(method)) return UNKNOWN_METHOD;
  // A request for `http` that came over TLS would be matched as something it is not.
  if (pseudo.scheme !== (connection.tls === undefined ? 'http' : 'https')) return OTHER_SCHEME;

  const fields = readRequestFields(raw, pseudo.end, post.limits.headerCount);
  if (fields instanceof Problem) return fields;
  if (fields.transferEncoding !== undefined) return CONNECTION_FIELD;
  if (fields.expect !== undefined && fields.expect.toLowerCase() !== '100-continue') return BAD_EXPECTATION;
  const length = fields.contentLength;
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return BAD_LENGTH;
  if (facts.hasEnded && length !== undefined && Number(length) !== 0) return BAD_LENGTH;

  const origin = readOrigin(fields, arrival);
  if (origin instanceof Problem) return origin;
  const host = pseudo.authority ?? fields.host;
  const authority = host === undefined ? undefined : connection.authority(host, origin.scheme);
  if (authority === undefined) return BAD_HOST;
  if (
    fields.host !== undefined &&
    fields.host !== host &&
    connection.authority(fields.host, origin.scheme)?.authority !== authority.authority
  ) {
    return OTHER_HOST;
  }

  // The absolute form has no place here: scheme and authority have fields of their own.
  if (path.charCodeAt(0) !== SLASH && path !== '*') return BAD_PATH;
  const read = canonicalTarget(path, post.limits.targetBytes);
  if ('code' in read) return new Problem(read.code, { internal: read.reason });
  if (path === '*' && method !== 'OPTIONS') return BAD_ASTERISK;

  return {
    id: origin.id,
    listener: post.facts,
    httpVersion: '2',
    method,
    scheme: origin.scheme,
    authority: authority.authority,
    host: authority.host,
    target: read.target,
    headers: new HeaderList(fields.cookies > 1 ? withOneCookie(fields) : fields.kept),
    body: facts.hasEnded ? undefined : facts.stream,
    bodyLength: length === undefined ? undefined : Number(length),
    trailers: facts.hasEnded ? noTrailers : facts.trailers,
    upgrade: undefined,
    clientAddress: origin.clientAddress,
    peerAddress: connection.peerAddress,
    tls: connection.tls,
    wire,
  };
}

interface PseudoFields {
  method: string | undefined;
  scheme: string | undefined;
  authority: string | undefined;
  path: string | undefined;
  /** Where the ordinary fields begin. */
  end: number;
}

function readPseudoFields(raw: readonly string[]): PseudoFields {
  const pseudo: PseudoFields = { method: undefined, scheme: undefined, authority: undefined, path: undefined, end: 0 };
  for (; pseudo.end < raw.length && raw[pseudo.end]?.charCodeAt(0) === COLON; pseudo.end += 2) {
    const value = raw[pseudo.end + 1];
    switch (raw[pseudo.end]) {
      case ':method':
        pseudo.method = value;
        break;
      case ':scheme':
        pseudo.scheme = value;
        break;
      case ':authority':
        pseudo.authority = value;
        break;
      case ':path':
        pseudo.path = value;
        break;
    }
  }
  return pseudo;
}

/** HTTP/2 may split Cookie for better compression; elsewhere it is one field (RFC 9113 §8.2.3). */
function withOneCookie(fields: RequestFields): string[] {
  const merged: string[] = [];
  let cookieAt = -1;
  for (let at = 0; at < fields.kept.length; at += 2) {
    const name = fields.kept[at] as string; // at < length
    const value = fields.kept[at + 1] as string; // the list has pairs
    if (name !== 'cookie') merged.push(name, value);
    else if (cookieAt < 0) cookieAt = merged.push(name, value) - 1;
    else merged[cookieAt] = `${merged[cookieAt]}; ${value}`;
  }
  return merged;
}

function sizeOf(raw: readonly string[]): number {
  let size = 0;
  for (const text of raw) size += text.length + 2;
  return size;
}

const COLON = 0x3a;
const SLASH = 0x2f;

// Made once: a flood of bad requests builds no objects.
const TOO_LARGE = new Problem('headers-too-large', {
  detail: 'The request head has more bytes than this listener takes.',
});
const NOT_OFFERED = new Problem('not-implemented', { detail: 'CONNECT and TRACE are not offered here.' });
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);

const UNKNOWN_METHOD = new Problem('not-implemented', { detail: 'The request method is not known.' });
const INCOMPLETE = new Problem('bad-request', { detail: 'One of :method, :scheme and :path is missing.' });
const OTHER_SCHEME = new Problem('bad-request', { detail: 'The :scheme is not that of the connection.' });
const OTHER_HOST = new Problem('ambiguous-host', { detail: 'The :authority and the Host field name different hosts.' });
const BAD_PATH = new Problem('ambiguous-target', { detail: 'The :path is neither an absolute path nor *.' });
const CONNECTION_FIELD = new Problem('bad-request', {
  detail: 'The request has a field of the connection, which HTTP/2 does not have.',
});
const BAD_LENGTH = new Problem('bad-request', { detail: 'The Content-Length is not that of the body.' });
const BAD_EXPECTATION = new Problem('expectation-failed', {
  detail: 'The only expectation that can be met is 100-continue.',
});
