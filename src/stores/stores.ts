import type { JsonObject } from '../lib/json.ts';
import type { Artifacts } from './artifacts.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import type { Page, PageRequest } from './page.ts';

/**
 * Durable records: what the gateway must never forget. All times are milliseconds since the epoch. A method that changes
 * something resolves once the change is on disk (SQLite: WAL with synchronous=FULL, PostgreSQL: commit), and appends the
 * audit events it was given in the same transaction: both are there or neither is. A store that cannot be reached, or does
 * not answer within its deadline, rejects with StoreUnavailable.
 */
export interface Records {
  readonly keys: ApiKeys;
  readonly consumers: Consumers;
  readonly clients: Clients;
  readonly users: Users;
  readonly artifacts: Artifacts;
  readonly sessions: Sessions;
  readonly signingKeys: SigningKeys;
  readonly audit: AuditLog;
  close(): Promise<void>;
}

/** Who did something, for the audit record of it. */
export type Events = readonly AuditEvent[];

/** Where a row came from. Those of the configuration file are made and removed with it, and cannot be changed elsewhere. */
export type Source = 'config' | 'admin' | 'registered';

/** Who holds API keys: an application, a partner, a team. */
export interface Consumer {
  readonly id: string;
  /** Unique. */
  readonly name: string;
  readonly metadata: JsonObject;
  readonly disabled: boolean;
  readonly source: Source;
  readonly createdAt: number;
}

export interface Consumers {
  /** Rejects with Conflict where the name or the id is taken. */
  create(consumer: Consumer, events: Events): Promise<void>;
  find(id: string): Promise<Consumer | undefined>;
  findByName(name: string): Promise<Consumer | undefined>;
  list(page: PageRequest): Promise<Page<Consumer>>;
  /** False where there is none. */
  update(
    id: string,
    change: Partial<Pick<Consumer, 'name' | 'metadata' | 'disabled'>>,
    events: Events,
  ): Promise<boolean>;
  /**
   * Removes it and its keys; false where there is none. One with very many keys is disabled first, with the events, and goes
   * when its keys have gone: where that rejects, it is still there, and nothing of it opens anything.
   */
  remove(id: string, events: Events): Promise<boolean>;
}

/** An API key as it is stored. The key itself is not: only the SHA-256 of its secret part. */
export interface ApiKey {
  /** The lookup id, which stands in the key in the clear. */
  readonly id: string;
  readonly consumerId: string;
  readonly name: string;
  /** Such as live or test; it stands in the key too. */
  readonly environment: string;
  /** base64url of SHA-256 over the secret part. */
  readonly hash: string;
  readonly scopes: readonly string[];
  /** Names of the APIs it opens; undefined means all that take keys. */
  readonly apis: readonly string[] | undefined;
  /** Blocks of addresses it may be used from; undefined means any. */
  readonly cidrs: readonly string[] | undefined;
  readonly metadata: JsonObject;
  readonly source: Source;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
  /** The key that replaced this one; `expiresAt` is then the end of the overlap. */
  readonly replacedBy: string | undefined;
  readonly lastUsedAt: number | undefined;
  readonly lastUsedAddress: string | undefined;
  readonly lastUsedRoute: string | undefined;
  readonly uses: number;
}

/** A key together with what else decides whether it opens anything. */
export interface KeyWithConsumer {
  readonly key: ApiKey;
  readonly consumer: Consumer;
}

/** Uses of one key since the last batch. */
export interface KeyUse {
  readonly id: string;
  readonly uses: number;
  readonly lastUsedAt: number;
  readonly address: string;
  readonly route: string;
}

export interface ApiKeys {
  /** Inserts all or none; rejects with Conflict where an id is taken, with NotFound where a consumer is missing. */
  insert(keys: readonly ApiKey[], events: Events): Promise<void>;
  /** One indexed look-up. */
  find(id: string): Promise<KeyWithConsumer | undefined>;
  list(filter: { readonly consumerId?: string | undefined }, page: PageRequest): Promise<Page<ApiKey>>;
  /** Inserts the new key and ends the old one at `overlapUntil`, in one transaction; false where the old one is missing, revoked, expired or replaced. */
  rotate(
    rotation: { readonly oldId: string; readonly newKey: ApiKey; readonly overlapUntil: number },
    events: Events,
  ): Promise<boolean>;
  /** False where it is missing or revoked already. */
  revoke(id: string, at: number, events: Events): Promise<boolean>;
  remove(id: string, events: Events): Promise<boolean>;
  /** Adds uses up, in one transaction. Unknown ids are passed over. */
  noteUses(uses: readonly KeyUse[], events: Events): Promise<void>;
  count(): Promise<number>;
}

/** A registered OAuth client. `secretHash` is base64url of SHA-256 over a secret of at least 128 random bits. */
export interface Client {
  readonly id: string;
  readonly name: string;
  /** Client metadata by the names of RFC 7591, without client_id and client_secret. */
  readonly metadata: JsonObject;
  readonly secretHash: string | undefined;
  /** SHA-256 of the registration access token (RFC 7592), base64url. */
  readonly registrationTokenHash: string | undefined;
  readonly disabled: boolean;
  readonly source: Source;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type ClientChange = Partial<Omit<Client, 'id' | 'source' | 'createdAt'>>;

export interface Clients {
  create(client: Client, events: Events): Promise<void>;
  find(id: string): Promise<Client | undefined>;
  list(page: PageRequest): Promise<Page<Client>>;
  /**
   * A change that depends on what is there is given as a function of it, which no other change comes between; where it is
   * undefined nothing is changed. False where there is no client or no change.
   */
  update(
    id: string,
    change: ClientChange | ((present: Client) => ClientChange | undefined),
    events: Events,
  ): Promise<boolean>;
  remove(id: string, events: Events): Promise<boolean>;
  count(source: Source): Promise<number>;
}

/** A public-key credential of WebAuthn. */
export interface Passkey {
  /** base64url. */
  readonly id: string;
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
  readonly name: string;
  readonly createdAt: number;
}

/** A local account. */
export interface User {
  /** The `sub` of its tokens: never changes, never used again. */
  readonly id: string;
  /** Unique, lower case. */
  readonly username: string;
  /** PHC string of argon2id; undefined where the account signs in elsewhere or by passkey alone. */
  readonly passwordHash: string | undefined;
  /** Secret of RFC 6238, base32; stored sealed. */
  readonly totpSecret: string | undefined;
  readonly passkeys: readonly Passkey[];
  /** Claims by the names of OpenID Connect: name, email, … */
  readonly claims: JsonObject;
  /** The account at an upstream provider it belongs to: `issuer` and `sub`, as `issuer|sub`; unique. */
  readonly upstream: string | undefined;
  readonly disabled: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface Users {
  create(user: User, events: Events): Promise<void>;
  find(id: string): Promise<User | undefined>;
  findByUsername(username: string): Promise<User | undefined>;
  findByUpstream(upstream: string): Promise<User | undefined>;
  findByPasskey(passkeyId: string): Promise<User | undefined>;
  list(page: PageRequest): Promise<Page<User>>;
  update(id: string, change: UserChange, events: Events): Promise<boolean>;
  /**
   * Changes what rests on how the user is: `amendment` sees them while nobody else can change them, more than once where the
   * database asks for that. False too where it wants nothing changed; there are no events then.
   */
  amend(id: string, amendment: (user: User) => UserChange | undefined, events: Events): Promise<boolean>;
  remove(id: string, events: Events): Promise<boolean>;
}

export type UserChange = Partial<Omit<User, 'id' | 'createdAt'>>;

/** The session of a browser at a `login` of the gateway, tokens included. The id is stored hashed, the tokens sealed. */
export interface Session {
  readonly id: string;
  /** The login of the configuration it belongs to. */
  readonly login: string;
  readonly issuer: string;
  /** The client its tokens were issued to; undefined in one of a version before this was noted. */
  readonly clientId: string | undefined;
  readonly subject: string;
  /** The `sid` of the provider, for back-channel logout. */
  readonly sid: string | undefined;
  readonly claims: JsonObject;
  readonly accessToken: string | undefined;
  readonly refreshToken: string | undefined;
  readonly idToken: string | undefined;
  readonly scopes: readonly string[];
  readonly tokenExpiresAt: number | undefined;
  /** The absolute end, whatever the use. */
  readonly expiresAt: number;
  /** The end unless it is used. */
  readonly idleUntil: number;
  readonly createdAt: number;
  /** Grows with every change; an update names the one it read. */
  readonly version: number;
}

export interface Sessions {
  create(session: Session, events: Events): Promise<void>;
  /** Undefined too where it has expired. */
  find(id: string): Promise<Session | undefined>;
  /** False where another changed it since `version` was read: read it again. */
  update(session: Session, events: Events): Promise<boolean>;
  remove(id: string, events: Events): Promise<boolean>;
  /** By the provider's word; resolves with how many. */
  removeBySid(
    at: { readonly issuer: string; readonly sid?: string; readonly subject?: string },
    events: Events,
  ): Promise<number>;
  /** Names in the place of the ids, as `sessionName` makes them; of one that was last written by an earlier version its hash. */
  list(filter: { readonly subject?: string | undefined }, page: PageRequest): Promise<Page<Session>>;
  /** Removes the one with this name, as a listing has it. */
  removeByName(name: string, events: Events): Promise<boolean>;
  sweep(now: number): Promise<number>;
}

/** A key the gateway signs with. The private part is stored sealed. */
export interface SigningKey {
  readonly kid: string;
  /** What it signs: tokens of the authorization server, or identities for upstreams. */
  readonly use: 'oauth' | 'identity';
  readonly alg: string;
  readonly publicJwk: JsonObject;
  readonly privateJwk: JsonObject;
  readonly createdAt: number;
  /** From then on it signs; it is published from creation on. */
  readonly activeAt: number;
  /** From then on it does not sign; it is published until it is removed. */
  readonly retiredAt: number | undefined;
  readonly removeAt: number | undefined;
}

export interface SigningKeys {
  list(use: SigningKey['use']): Promise<readonly SigningKey[]>;
  /** Reads, decides and writes under a lock that all processes share: `decide` gets the keys and returns the new state of all of them; those it leaves out are removed. */
  rotate(
    use: SigningKey['use'],
    decide: (keys: readonly SigningKey[]) => { readonly keys: readonly SigningKey[]; readonly events: Events },
  ): Promise<readonly SigningKey[]>;
}

/** The store did not answer within its deadline, cannot be reached, or is full. Nothing may be concluded from it. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** A name or id is taken already. */
export class Conflict extends Error {
  override readonly name = 'Conflict';
}

/** What a change refers to is not there. */
export class NotFound extends Error {
  override readonly name = 'NotFound';
}
