/**
 * The tables as Kysely sees them, the same on every database: times are milliseconds since the epoch, booleans 0 or 1, JSON
 * is text. Columns named `sealed…` hold what the sealer made, those named `…_hash` a keyed hash.
 */
export interface Tables {
  readonly schema_version: { readonly version: number };
  readonly store_secrets: { readonly name: string; readonly sealed: string };
  readonly consumers: ConsumerRow;
  readonly api_keys: ApiKeyRow;
  readonly clients: ClientRow;
  readonly users: UserRow;
  readonly removed_users: { readonly id: string };
  readonly passkeys: PasskeyRow;
  readonly artifacts: ArtifactRow;
  readonly sessions: SessionRow;
  readonly signing_keys: SigningKeyRow;
  readonly audit_log: AuditRow;
  readonly audit_head: AuditHeadRow;
}

export interface ConsumerRow {
  readonly id: string;
  readonly name: string;
  readonly metadata: string;
  readonly disabled: number;
  readonly source: string;
  readonly created_at: number;
}

export interface ApiKeyRow {
  readonly id: string;
  readonly consumer_id: string;
  readonly name: string;
  readonly environment: string;
  readonly hash: string;
  readonly scopes: string;
  readonly apis: string | null;
  readonly cidrs: string | null;
  readonly metadata: string;
  readonly source: string;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly replaced_by: string | null;
  readonly last_used_at: number | null;
  readonly last_used_address: string | null;
  readonly last_used_route: string | null;
  readonly uses: number;
}

export interface ClientRow {
  readonly id: string;
  readonly name: string;
  readonly metadata: string;
  readonly secret_hash: string | null;
  readonly registration_token_hash: string | null;
  readonly disabled: number;
  readonly source: string;
  readonly created_at: number;
  readonly updated_at: number;
}

export interface UserRow {
  readonly id: string;
  readonly username: string;
  readonly password_hash: string | null;
  readonly sealed_totp: string | null;
  readonly claims: string;
  readonly upstream: string | null;
  readonly disabled: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export interface PasskeyRow {
  readonly id: string;
  readonly user_id: string;
  /** Its place among the passkeys of the user. */
  readonly position: number;
  readonly public_key: string;
  readonly counter: number;
  readonly transports: string;
  readonly name: string;
  readonly created_at: number;
}

export interface ArtifactRow {
  /** Over the model and the id. */
  readonly id_hash: string;
  readonly model: string;
  readonly sealed: string;
  readonly expires_at: number | null;
  readonly grant_id: string | null;
  readonly user_code_hash: string | null;
  readonly uid_hash: string | null;
  readonly account_id: string | null;
  readonly client_id: string | null;
  readonly consumed_at: number | null;
}

export interface SessionRow {
  readonly id_hash: string;
  /** Null where it was not written since sessions have one. */
  readonly name: string | null;
  readonly login: string;
  readonly issuer: string;
  readonly subject: string;
  readonly sid: string | null;
  /** Claims and tokens. */
  readonly sealed: string;
  readonly scopes: string;
  readonly token_expires_at: number | null;
  readonly expires_at: number;
  readonly idle_until: number;
  readonly created_at: number;
  readonly version: number;
}

export interface SigningKeyRow {
  readonly kid: string;
  readonly use: string;
  readonly alg: string;
  readonly public_jwk: string;
  readonly sealed_private_jwk: string;
  readonly created_at: number;
  readonly active_at: number;
  readonly retired_at: number | null;
  readonly remove_at: number | null;
}

export interface AuditRow {
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly actor: string;
  readonly subject: string;
  readonly address: string | null;
  readonly request_id: string | null;
  readonly detail: string | null;
  readonly previous: string;
  readonly hash: string;
}

/** One row: the newest record of the audit log. Who appends holds its lock. */
export interface AuditHeadRow {
  readonly id: number;
  readonly seq: number;
  readonly at: number;
  readonly hash: string;
  readonly mac: string;
}
