import { randomBytes } from 'node:crypto';
import type { Artifact } from './artifacts.ts';
import type { RecordsSettings } from './open-records.ts';
import type { ApiKey, Client, Consumer, Session, SigningKey, User } from './stores.ts';

/** What the contract of records needs of a driver. */
export interface RecordsHarness {
  /** A new, empty database of the driver. */
  create(): Promise<TestDatabase>;
}

export interface TestDatabase {
  readonly settings: RecordsSettings;
  /** Runs SQL past the records, as somebody with the password of the database could. */
  execute(statement: string): Promise<void>;
  /** Everything that the database holds, as text. */
  dump(): Promise<string>;
}

/** A name that no other test has. */
export function unique(prefix: string): string {
  return `${prefix}-${randomBytes(9).toString('base64url')}`;
}

export function consumerNamed(id: string, change: Partial<Consumer> = {}): Consumer {
  return { id, name: `name of ${id}`, metadata: {}, disabled: false, source: 'admin', createdAt: 1, ...change };
}

export function keyOf(consumerId: string, change: Partial<ApiKey> = {}): ApiKey {
  return {
    id: unique('key'),
    consumerId,
    name: 'a key',
    environment: 'live',
    hash: 'aGFzaA',
    scopes: ['read', 'write'],
    apis: ['widgets'],
    cidrs: ['10.0.0.0/8'],
    metadata: { team: 'a', nested: { list: [1, null, 'x'] } },
    source: 'admin',
    createdAt: 1_700_000_000_000,
    expiresAt: undefined,
    revokedAt: undefined,
    replacedBy: undefined,
    lastUsedAt: undefined,
    lastUsedAddress: undefined,
    lastUsedRoute: undefined,
    uses: 0,
    ...change,
  };
}

export function clientNamed(id: string, change: Partial<Client> = {}): Client {
  return {
    id,
    name: 'A client',
    metadata: { redirect_uris: ['https://app.example.com/callback'] },
    secretHash: 'c2VjcmV0',
    registrationTokenHash: undefined,
    disabled: false,
    source: 'admin',
    createdAt: 1,
    updatedAt: 1,
    ...change,
  };
}

export function userNamed(username: string, change: Partial<User> = {}): User {
  return {
    id: unique('user'),
    username,
    passwordHash: '$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA',
    totpSecret: undefined,
    passkeys: [],
    claims: { name: 'Ada', email: 'ada@example.com' },
    upstream: undefined,
    disabled: false,
    createdAt: 1,
    updatedAt: 1,
    ...change,
  };
}

export function artifactNamed(id: string, change: Partial<Artifact> = {}): Artifact {
  return {
    model: 'RefreshToken',
    id,
    payload: { scope: 'openid', nested: { n: 1 } },
    expiresAt: Date.now() + 600_000,
    grantId: undefined,
    userCode: undefined,
    uid: undefined,
    accountId: undefined,
    clientId: undefined,
    ...change,
  };
}

export function sessionNamed(id: string, change: Partial<Session> = {}): Session {
  return {
    id,
    login: 'app',
    issuer: 'https://login.example.com',
    clientId: 'app-client',
    subject: 'ada',
    sid: undefined,
    claims: { email: 'ada@example.com' },
    accessToken: 'access-token',
    refreshToken: 'refresh-token',
    idToken: undefined,
    scopes: ['openid'],
    tokenExpiresAt: Date.now() + 60_000,
    expiresAt: Date.now() + 600_000,
    idleUntil: Date.now() + 300_000,
    createdAt: Date.now(),
    version: 1,
    ...change,
  };
}

export function signingKeyNamed(kid: string, change: Partial<SigningKey> = {}): SigningKey {
  return {
    kid,
    use: 'oauth',
    alg: 'ES256',
    publicJwk: { kty: 'EC', kid },
    privateJwk: { kty: 'EC', kid, d: 'private-part' },
    createdAt: 1,
    activeAt: 1,
    retiredAt: undefined,
    removeAt: undefined,
    ...change,
  };
}
