import type { ApiKey, Source } from '../stores.ts';
import { listOf, objectOf, orNull, orUndefined, textOfList } from './columns.ts';
import type { ApiKeyRow } from './tables.ts';

export function apiKeyOf(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    consumerId: row.consumer_id,
    name: row.name,
    environment: row.environment,
    hash: row.hash,
    scopes: listOf(row.scopes),
    apis: row.apis === null ? undefined : listOf(row.apis),
    cidrs: row.cidrs === null ? undefined : listOf(row.cidrs),
    metadata: objectOf(row.metadata),
    source: row.source as Source, // written by `apiKeyRowOf`
    createdAt: row.created_at,
    expiresAt: orUndefined(row.expires_at),
    revokedAt: orUndefined(row.revoked_at),
    replacedBy: orUndefined(row.replaced_by),
    lastUsedAt: orUndefined(row.last_used_at),
    lastUsedAddress: orUndefined(row.last_used_address),
    lastUsedRoute: orUndefined(row.last_used_route),
    uses: row.uses,
  };
}

export function apiKeyRowOf(key: ApiKey): ApiKeyRow {
  return {
    id: key.id,
    consumer_id: key.consumerId,
    name: key.name,
    environment: key.environment,
    hash: key.hash,
    scopes: textOfList(key.scopes),
    apis: key.apis === undefined ? null : textOfList(key.apis),
    cidrs: key.cidrs === undefined ? null : textOfList(key.cidrs),
    metadata: JSON.stringify(key.metadata),
    source: key.source,
    created_at: key.createdAt,
    expires_at: orNull(key.expiresAt),
    revoked_at: orNull(key.revokedAt),
    replaced_by: orNull(key.replacedBy),
    last_used_at: orNull(key.lastUsedAt),
    last_used_address: orNull(key.lastUsedAddress),
    last_used_route: orNull(key.lastUsedRoute),
    uses: key.uses,
  };
}
