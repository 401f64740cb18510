import type { Principal } from '../../exchange.ts';
import { type ParsedApiKey, sameSecretHash } from '../../lib/api-key.ts';
import { canonicalAddress, compileCidrs } from '../../lib/cidr.ts';
import type { KeyWithConsumer } from '../../stores/stores.ts';

/** What of a stored key needs no request to work out. */
export interface PreparedKey {
  readonly principal: Principal;
  readonly mayComeFrom: (clientAddress: string) => boolean;
}

/** Why a key opens nothing, or that it is good. Before `good` those whose sender has shown the right secret, last those that hold for anybody. */
export type Verdict =
  | 'good'
  | 'other-address'
  | 'other-api'
  | 'consumer-disabled'
  | 'expired'
  | 'revoked'
  | 'other-environment'
  | 'wrong-secret'
  | 'unknown';

/** Where and when a key is shown. */
export interface Showing {
  readonly api: string;
  readonly clientAddress: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Judges a key that was shown. The secret is compared first, and compared with something where there is no such key: neither
 * the answer nor its time tells whether an id exists.
 */
export function judgeKey(
  found: KeyWithConsumer | undefined,
  prepared: PreparedKey | undefined,
  shown: ParsedApiKey,
  showing: Showing,
): Verdict {
  const isRight = sameSecretHash(shown.secretHash, found?.key.hash ?? NO_HASH);
  if (found === undefined || prepared === undefined) return 'unknown';
  if (!isRight) return 'wrong-secret';
  const { key, consumer } = found;
  // The hash does not cover it, and whoever has a key can compute the checksum of another one.
  if (key.environment !== shown.environment) return 'other-environment';
  if (key.revokedAt !== undefined) return 'revoked';
  // A key that was replaced has the end of the overlap as its own.
  if (key.expiresAt !== undefined && showing.now >= key.expiresAt) return 'expired';
  if (consumer.disabled) return 'consumer-disabled';
  if (key.apis !== undefined && !key.apis.includes(showing.api)) return 'other-api';
  return prepared.mayComeFrom(showing.clientAddress) ? 'good' : 'other-address';
}

/** Of the length of a hash, and none. */
const NO_HASH = '-'.repeat(43);

/** The principal is the same for every request of a key, so it is frozen. Metadata of the key goes before its consumer's. */
export function prepareKey({ key, consumer }: KeyWithConsumer): PreparedKey {
  const principal: Principal = Object.freeze({
    id: `consumer:${consumer.id}`,
    kind: 'consumer',
    method: 'apiKey',
    issuer: undefined,
    subject: consumer.id,
    clientId: undefined,
    consumer: consumer.name,
    credentialId: key.id,
    scopes: key.scopes,
    claims: Object.freeze({ ...consumer.metadata, ...key.metadata }),
  });
  return { principal, mayComeFrom: key.cidrs === undefined ? anywhere : addressRule(key.cidrs) };
}

function anywhere(): boolean {
  return true;
}

function addressRule(cidrs: readonly string[]): PreparedKey['mayComeFrom'] {
  const isInside = compileCidrs(cidrs);
  return function mayComeFrom(clientAddress) {
    const address = canonicalAddress(clientAddress);
    return address !== undefined && isInside(address);
  };
}

/** What a query holds under one name, decoded, and the query without it, byte for byte; undefined where nothing is left. */
export interface TakenParameter {
  readonly values: readonly string[];
  readonly rest: string | undefined;
}

/** Takes a parameter out of a query. Its name counts in every spelling, since the upstream would decode it too. */
export function takeParameter(query: string | undefined, name: string): TakenParameter {
  if (query === undefined) return { values: [], rest: query };
  const values: string[] = [];
  const rest: string[] = [];
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    if (decoded(equals < 0 ? pair : pair.slice(0, equals)) === name)
      values.push(equals < 0 ? '' : decoded(pair.slice(equals + 1)));
    else rest.push(pair);
  }
  if (values.length === 0) return { values, rest: query };
  return { values, rest: rest.length === 0 ? undefined : rest.join('&') };
}

function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
