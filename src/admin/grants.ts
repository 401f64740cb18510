import { z } from 'zod';
import type { Json, JsonObject } from '../lib/json.ts';
import type { StoredArtifact } from '../stores/artifacts.ts';
import { eventOf, plainAction, queryAction } from './action.ts';
import { refuse, replyNothing } from './admin-reply.ts';
import { shown, timeOf } from './fields.ts';
import { pageFields, replyPage } from './paging.ts';

/** The name under which the authorization server keeps what a user allowed a client. */
const MODEL = 'Grant';

const filter = z.strictObject({
  ...pageFields,
  user: z.string().max(256).optional(),
  client: z.string().max(1024).optional(),
});

export const listGrants = queryAction(filter, async ({ services, query }) => {
  const wanted = { model: MODEL, accountId: query.user, clientId: query.client };
  return replyPage(await services.records.artifacts.list(wanted, query), showGrant, query);
});

export const revokeOneGrant = plainAction(async (call) => {
  const { artifacts } = call.services.records;
  const id = call.params['grant'] ?? '';
  const grant = await artifacts.find(MODEL, id);
  if (grant === undefined) return refuse('not-found', 'There is no grant with this id; it may have been revoked.');
  await artifacts.revokeGrant(id, [
    eventOf(call, 'grant.revoked', `grant:${id}`, shown({ user: grant.accountId, client: grant.clientId })),
  ]);
  return replyNothing();
});

/** `jti` is the id of the grant, as tokens name it; the id of the row is its hash. */
function showGrant({ payload, accountId, clientId, expiresAt }: StoredArtifact): JsonObject {
  const { jti, openid, resources } = payload;
  return shown({
    id: jti,
    user: accountId,
    client: clientId,
    scopes: wordsOf(isObject(openid) ? openid['scope'] : undefined),
    resources: isObject(resources)
      ? Object.fromEntries(Object.entries(resources).map(([resource, scope]) => [resource, wordsOf(scope)]))
      : {},
    expiresAt: timeOf(expiresAt),
  });
}

function wordsOf(scope: Json | undefined): readonly string[] {
  return typeof scope === 'string' ? scope.split(' ').filter((word) => word !== '') : [];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
