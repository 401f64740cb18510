import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { JsonObject } from '../lib/json.ts';
import type { Client, Source } from '../stores/stores.ts';
import { type CheckedClientRequest, clientRequest } from './client-request.ts';

/** What is wrong with a client's description: where, and what would be right. */
export interface ClientFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export type ReadClientRequest =
  | { readonly request: CheckedClientRequest }
  | { readonly faults: readonly [ClientFault, ...ClientFault[]] };

/** Reads a client's description as it came from a file, an API or a command; all its faults at once. */
export function readClientRequest(input: unknown): ReadClientRequest {
  const outcome = clientRequest.safeParse(input);
  if (outcome.success) return { request: outcome.data };
  const faults = outcome.error.issues.map(({ path, message }) => ({
    path: path.map((step) => (typeof step === 'symbol' ? String(step) : step)),
    message,
  }));
  const [first = { path: [], message: 'is not a client' }, ...rest] = faults;
  return { faults: [first, ...rest] };
}

export interface NewClient {
  readonly client: Client;
  /** To be shown once: it is stored nowhere. Undefined where the client has none, or brought its own. */
  readonly secret: string | undefined;
}

/** Makes a client of a description that was found right; the caller stores it. `at` is in milliseconds since the epoch. */
export function newClient(
  request: CheckedClientRequest,
  made: { readonly source: Source; readonly at: number },
): NewClient {
  const { id, name, secret: own, ...metadata } = request;
  const secret = needsSecret(request.token_endpoint_auth_method) ? (own ?? makeClientSecret()) : undefined;
  const client: Client = {
    id: id ?? makeClientId(),
    name,
    metadata: clientMetadata(name, metadata),
    secretHash: secret === undefined ? undefined : hashClientSecret(secret),
    registrationTokenHash: undefined,
    disabled: false,
    source: made.source,
    createdAt: made.at,
    updatedAt: made.at,
  };
  return { client, secret: own === undefined ? secret : undefined };
}

/** The metadata to store for a description, for a change of a client that is there already. */
export function clientMetadata(
  name: string,
  described: Omit<CheckedClientRequest, 'id' | 'name' | 'secret' | 'scope'> & { readonly scope: string | undefined },
): JsonObject {
  const answersInBrowser = described.grant_types.includes('authorization_code');
  const metadata = { ...described, client_name: name, response_types: answersInBrowser ? ['code'] : [] };
  // Undefined fields fall away, and what zod checked is JSON.
  return JSON.parse(JSON.stringify(metadata)) as JsonObject;
}

/** 256 random bits, so that a plain hash of it can be stored: nobody guesses it, slowly or quickly. */
export function makeClientSecret(): string {
  return randomBytes(32).toString('base64url');
}

function makeClientId(): string {
  return randomBytes(16).toString('base64url');
}

/** base64url of SHA-256. */
export function hashClientSecret(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

/** Compares in a time that depends on neither the secret nor its hash. */
export function matchesClientSecret(secret: string, secretHash: string): boolean {
  const expected = Buffer.from(secretHash, 'base64url');
  const actual = Buffer.from(hashClientSecret(secret), 'base64url');
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

export function needsSecret(authMethod: string): boolean {
  return authMethod === 'client_secret_basic' || authMethod === 'client_secret_post';
}
