import type { JsonObject } from '../lib/json.ts';
import type { AuditEvent } from './audit.ts';
import type { Page, PageRequest } from './page.ts';

/** What the authorization server keeps between requests: grants, codes, refresh tokens, sessions, … Ids are stored hashed, payloads sealed. */
export interface Artifact {
  readonly model: string;
  readonly id: string;
  readonly payload: JsonObject;
  readonly expiresAt: number | undefined;
  readonly grantId: string | undefined;
  readonly userCode: string | undefined;
  readonly uid: string | undefined;
  /** The account and client it belongs to, for listing and revoking. */
  readonly accountId: string | undefined;
  readonly clientId: string | undefined;
}

export interface StoredArtifact extends Artifact {
  readonly consumedAt: number | undefined;
}

export interface Artifacts {
  upsert(artifact: Artifact, events?: readonly AuditEvent[]): Promise<void>;
  /** Undefined too where it has expired. */
  find(model: string, id: string): Promise<StoredArtifact | undefined>;
  findByUserCode(model: string, userCode: string): Promise<StoredArtifact | undefined>;
  findByUid(model: string, uid: string): Promise<StoredArtifact | undefined>;
  /** True for the first caller alone, over all processes; false where it was consumed before or is gone. */
  consume(model: string, id: string, at: number): Promise<boolean>;
  /** Consumes one and writes its successor, both or neither; false, and nothing is written, where `consume` would say false. */
  replace(
    consumed: { readonly model: string; readonly id: string; readonly at: number },
    successor: Artifact,
  ): Promise<boolean>;
  destroy(model: string, id: string): Promise<void>;
  /** Removes everything of a grant, of all models. */
  revokeGrant(grantId: string, events: readonly AuditEvent[]): Promise<void>;
  /** Removes everything of an account or a client; resolves with the ids of the grants removed. */
  revokeAll(
    owner: { readonly accountId?: string; readonly clientId?: string },
    events: readonly AuditEvent[],
  ): Promise<readonly string[]>;
  list(
    filter: { readonly model: string; readonly accountId?: string | undefined; readonly clientId?: string | undefined },
    page: PageRequest,
  ): Promise<Page<StoredArtifact>>;
  /** Removes what has expired; resolves with how many. */
  sweep(now: number): Promise<number>;
}
