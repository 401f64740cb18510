import type { JSONWebKeySet } from 'jose';
import type { AuditEvent } from '../stores/audit.ts';
import type { KeyUse, KeyWithConsumer, Session } from '../stores/stores.ts';

/** What the policies that identify callers need of the process they run in; made once for a worker. */
export interface IdentityServices {
  readonly issuers: Issuers;
  readonly revocations: Revocations;
  readonly keys: KeyFinder;
  readonly sessions: SessionFinder;
  /** Remembers nonces of proofs over all workers and nodes. Rejects or throws StoreUnavailable where that cannot be said. */
  readonly replay: ReplayGuard;
  readonly signer: IdentitySigner;
  readonly reports: Reports;
}

/** The public keys of one issuer, as the control plane fetched them last. */
export interface IssuerKeySet {
  readonly issuer: string;
  readonly jwks: JSONWebKeySet;
  /** Differs for each set of keys; what was verified under another generation is verified again. */
  readonly generation: number;
}

/** The keys of the issuers the configuration names. The control plane fetches them: once for all workers, bounded, with a cool-down. */
export interface Issuers {
  /** The keys as they are known; undefined before the first fetch. */
  known(issuer: string): IssuerKeySet | undefined;
  /** Asks for the keys again, since a token names one that is not known. Within the cool-down of the issuer it answers what is known. Rejects with StoreUnavailable where the issuer cannot be reached. */
  refresh(issuer: string): Promise<IssuerKeySet>;
  /** Asks the issuer's introspection endpoint (RFC 7662) about an opaque token. Rejects with StoreUnavailable where it gives no answer in time. */
  introspect(issuer: string, token: string): Promise<Readonly<Record<string, unknown>>>;
}

/** Which tokens do not count any more although they have not expired. */
export interface Revocations {
  /** Grows with every revocation: what was checked under the present epoch needs no second look. */
  readonly epoch: number;
  /** Only tokens of the embedded authorization server are known here. */
  isRevoked(token: TokenFacts): boolean;
}

export interface TokenFacts {
  readonly jti: string | undefined;
  readonly grantId: string | undefined;
  readonly clientId: string | undefined;
  readonly subject: string | undefined;
  /** Seconds since the epoch. */
  readonly issuedAt: number | undefined;
}

/** API keys by their lookup id, from a bounded cache that is at most a second behind the store. */
export interface KeyFinder {
  /** Rejects with StoreUnavailable where neither the store answers nor what is held can be trusted. */
  find(id: string): KeyWithConsumer | undefined | Promise<KeyWithConsumer | undefined>;
}

/** What requests need of a session. Its refresh and ID token are the control plane's: workers keep no secret they do not use. */
export interface LiveSession extends Omit<Session, 'refreshToken' | 'idToken'> {
  /** Whether there is a refresh token. */
  readonly refreshable: boolean;
}

/** Sessions of the `login` policy by their id, at most a second behind the store. */
export interface SessionFinder {
  find(id: string): LiveSession | undefined | Promise<LiveSession | undefined>;
  /** Has the control plane refresh the tokens of a session, once for all who ask; answers the session afterwards, undefined where it has ended. */
  refresh(id: string): Promise<LiveSession | undefined>;
  /** The id of a session inside its cookie; undefined where the cookie is not ours or was tampered with. */
  open(cookie: string): string | undefined;
}

export interface ReplayGuard {
  /** True for the first use of a key within `ttlMs`. */
  once(key: string, ttlMs: number): boolean | Promise<boolean>;
}

/** Makes the short-lived JWTs that tell upstreams who calls. */
export interface IdentitySigner {
  /** Rejects where no signing key has arrived yet. `claims` has no iss, aud, iat, exp or jti. */
  sign(
    claims: Readonly<Record<string, unknown>>,
    options: { readonly audience: string; readonly ttlSeconds: number },
  ): Promise<string>;
}

/** What a worker tells the control plane; it is kept in bounded batches, and a flood is added up instead of listed. */
export interface Reports {
  /** For the audit log. `request.refused` events of the same type, subject and detail are counted together. */
  audit(event: AuditEvent): void;
  keyUsed(use: KeyUse): void;
  /** A credential of a key was refused, for the watch on unusual activity. */
  keyRefused(id: string, address: string): void;
}
