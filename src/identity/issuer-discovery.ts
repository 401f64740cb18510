import type { JSONWebKeySet, JWK } from 'jose';
import { type BoundedFetch, FetchFailed } from './bounded-fetch.ts';
import { isJsonObject } from './token-syntax.ts';

/** What is used of an issuer's metadata. */
export interface IssuerMetadata {
  readonly jwksUri: string | undefined;
  readonly introspectionEndpoint: string | undefined;
}

/**
 * Finds the metadata of an issuer, at the place of OpenID Connect and at that of RFC 8414 §3.1. Rejects with FetchFailed where
 * neither has a document of this very issuer: one that names another is that other's (RFC 8414 §3.3).
 */
export async function discover(issuer: string, fetcher: BoundedFetch): Promise<IssuerMetadata> {
  let failure: unknown;
  for (const url of metadataUrls(issuer)) {
    try {
      return readMetadata(await fetchJson(url, fetcher), issuer, url);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

export async function fetchKeys(url: string, fetcher: BoundedFetch): Promise<JSONWebKeySet> {
  return readKeys(await fetchJson(url, fetcher), url);
}

/** Where an issuer's metadata may stand; an issuer with a path has it inserted by one rule and appended by the other. */
function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

/** The public keys of a set; what else a set may hold (private members, secrets) does not come in. */
export function readKeys(document: unknown, url: string): JSONWebKeySet {
  const written = isJsonObject(document) ? document['keys'] : undefined;
  if (!Array.isArray(written)) throw new FetchFailed('content', `${url} is not a JWK set`);
  if (written.length > MOST_KEYS) throw new FetchFailed('content', `${url} has more than ${MOST_KEYS} keys`);
  return { keys: written.filter(isJsonObject).flatMap(readKey) };
}

function readKey(written: Readonly<Record<string, unknown>>): JWK[] {
  const key: Record<string, string | string[]> = {};
  for (const name of TEXT_MEMBERS) {
    const value = written[name];
    if (value === undefined) continue;
    if (typeof value !== 'string') return [];
    key[name] = value;
  }
  const operations = written['key_ops'];
  if (operations !== undefined) {
    if (!Array.isArray(operations) || !operations.every((operation) => typeof operation === 'string')) return [];
    key['key_ops'] = operations;
  }
  // Of a secret nothing is left to verify with, and it should not have been published.
  return PUBLIC_KINDS.has(written['kty']) ? [key] : [];
}

async function fetchJson(url: string, fetcher: BoundedFetch): Promise<unknown> {
  const { status, text } = await fetcher.fetch(url);
  if (status !== 200) throw new FetchFailed('content', `${url} answered ${status}`);
  try {
    return JSON.parse(text);
  } catch {
    throw new FetchFailed('content', `${url} is not JSON`);
  }
}

function readMetadata(document: unknown, issuer: string, url: string): IssuerMetadata {
  if (!isJsonObject(document) || document['issuer'] !== issuer)
    throw new FetchFailed('content', `${url} is not the metadata of ${issuer}`);
  return {
    jwksUri: textOf(document['jwks_uri']),
    introspectionEndpoint: textOf(document['introspection_endpoint']),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

const TEXT_MEMBERS = ['kty', 'kid', 'alg', 'use', 'crv', 'x', 'y', 'n', 'e'] as const;
const PUBLIC_KINDS: ReadonlySet<unknown> = new Set(['RSA', 'EC', 'OKP']);
const MOST_KEYS = 100;
