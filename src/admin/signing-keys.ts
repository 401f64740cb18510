import { z } from 'zod';
import type { JsonObject } from '../lib/json.ts';
import type { SigningKey } from '../stores/stores.ts';
import { bodyAction, originOf, plainAction } from './action.ts';
import { replyJson } from './admin-reply.ts';
import { shown, timeOf } from './fields.ts';

const USES = ['oauth', 'identity'] as const satisfies readonly SigningKey['use'][];

export const listSigningKeys = plainAction(async ({ services }) => {
  const keys = await Promise.all(USES.map((use) => services.records.signingKeys.list(use)));
  return replyJson(200, { items: keys.flat().map((key) => showSigningKey(key, services.now())), next: null });
});

export const rotateSigningKeys = bodyAction(z.strictObject({ use: z.enum(USES) }), async (call) => {
  const keys = await call.services.rotateSigningKeys(call.body.use, originOf(call));
  return replyJson(200, { items: keys.map((key) => showSigningKey(key, call.services.now())), next: null });
});

/** Only what the JWKS document publishes, and when each becomes what. */
function showSigningKey(key: SigningKey, now: number): JsonObject {
  const { kid, use, alg } = key;
  return shown({
    kid,
    use,
    alg,
    state: stateOf(key, now),
    createdAt: timeOf(key.createdAt),
    activeAt: timeOf(key.activeAt),
    retiredAt: timeOf(key.retiredAt),
    removeAt: timeOf(key.removeAt),
  });
}

function stateOf({ activeAt, retiredAt }: SigningKey, now: number): 'published' | 'active' | 'retired' {
  if (retiredAt !== undefined && retiredAt <= now) return 'retired';
  return activeAt <= now ? 'active' : 'published';
}
