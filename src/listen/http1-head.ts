import type { Readable } from 'node:stream';
import { Problem } from '../errors/problem.ts';
import type { RequestHead, Wire } from '../exchange.ts';
import { canonicalTarget } from '../lib/canonical-target.ts';
import { HeaderList } from '../lib/header-list.ts';
import { acceptableRequestId, newRequestId } from '../observe/request-id.ts';
import { readClientAddress, readForwardedScheme } from './client-address.ts';
import type { Connection } from './connection.ts';
import { type Http1Request, NO_BODY } from './http1-request.ts';
import type { Post } from './post.ts';
import type { RequestFields } from './request-fields.ts';

/** Where a request came in. */
export interface Arrival {
  readonly post: Post;
  readonly connection: Connection;
}

/** Whose request it is, and what carries its body and its reply. */
export interface Http1Carriers {
  readonly wire: Wire;
  readonly body: Readable | undefined;
  readonly trailers: RequestHead['trailers'];
  readonly upgrade: 'websocket' | undefined;
}

/** Makes sense of the head of an HTTP/1.x request, or refuses it. */
export function readHttp1Head(request: Http1Request, carriers: Http1Carriers, arrival: Arrival): RequestHead | Problem {
  const { post, connection } = arrival;
  const { method, fields, httpVersion, length } = request;
  if (method === 'TRACE' || method === 'CONNECT') return NOT_OFFERED;
  if (fields.expect !== undefined && httpVersion === '1.1' && fields.expect.toLowerCase() !== '100-continue')
    return BAD_EXPECTATION;

  const origin = readOrigin(fields, arrival);
  if (origin instanceof Problem) return origin;
  if (fields.host === undefined) return NO_HOST;
  const authority = connection.authority(fields.host, origin.scheme);
  if (authority === undefined) return BAD_HOST;

  const read = canonicalTarget(request.target, post.limits.targetBytes);
  if ('code' in read) return new Problem(read.code, { internal: read.reason });
  if (read.authority !== undefined) {
    // Two readers of the request may each believe another of the two (attack 10).
    if (read.scheme?.toLowerCase() !== origin.scheme) return OTHER_SCHEME;
    if (connection.authority(read.authority, origin.scheme)?.authority !== authority.authority) return OTHER_HOST;
  }
  if (read.target.path === '*' && method !== 'OPTIONS') return BAD_ASTERISK;

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
    body: carriers.body,
    bodyLength: length === NO_BODY ? undefined : length,
    trailers: carriers.trailers,
    upgrade: carriers.upgrade,
    clientAddress: origin.clientAddress,
    peerAddress: connection.peerAddress,
    tls: connection.tls,
    wire: carriers.wire,
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

export function noTrailers(): undefined {
  return undefined;
}

// Made once: a flood of bad requests builds no objects.
const NOT_OFFERED = new Problem('not-implemented', { detail: 'CONNECT and TRACE are not offered here.' });
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
