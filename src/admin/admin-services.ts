import type { AuditEvent } from '../stores/audit.ts';
import type { Records, SigningKey } from '../stores/stores.ts';

/** Everything the admin API works with. Whoever starts the control plane hands it over. */
export interface AdminServices {
  readonly records: Records;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The names of the APIs of the configuration in force, for a key that is to open only some of them; the admin API goes without saying. */
  readonly apiNames: () => readonly string[];
  /** The issuer of the embedded authorization server; undefined where there is none. Its browser sessions end with their user. */
  readonly issuer: () => string | undefined;
  /** Has a new key made for this use, to sign once its time has come; it writes its audit events itself. */
  readonly rotateSigningKeys: (use: SigningKey['use'], event: EventOrigin) => Promise<readonly SigningKey[]>;
  /** What `GET /status` answers; nothing secret. */
  readonly status: () => Readonly<Record<string, unknown>>;
  /** A fault of our own, for the log: the client is told only that there was one. */
  readonly reportFault: (error: unknown, requestId: string | undefined) => void;
}

/** Who sends a request, as the road or the control socket found out. */
export interface Caller {
  /** In the form of `AuditEvent.actor`, such as `key:<id>`, `user:<issuer>|<sub>`, `certificate:<subject>` or `local:<uid>`. */
  readonly actor: string;
  readonly address: string | undefined;
  readonly requestId: string | undefined;
  /** Of `admin`, `admin:read` and `admin:write`, those it has. `all` where it is checked elsewhere: the control socket is its owner's. */
  readonly scopes: readonly string[] | 'all';
}

/** The part of an audit event that says where a change came from. */
export type EventOrigin = Pick<AuditEvent, 'actor' | 'address' | 'requestId'>;
