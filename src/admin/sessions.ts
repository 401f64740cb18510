import { z } from 'zod';
import type { JsonObject } from '../lib/json.ts';
import type { Session } from '../stores/stores.ts';
import { eventOf, plainAction, queryAction } from './action.ts';
import { refuse, replyNothing } from './admin-reply.ts';
import { shown, timeOf } from './fields.ts';
import { pageFields, replyPage } from './paging.ts';

const filter = z.strictObject({ ...pageFields, subject: z.string().max(512).optional() });

export const listSessions = queryAction(filter, async ({ services, query }) =>
  replyPage(await services.records.sessions.list({ subject: query.subject }, query), showSession, query),
);

export const endOneSession = plainAction(async (call) => {
  const name = call.params['session'] ?? '';
  const removed = await call.services.records.sessions.removeByName(name, [
    eventOf(call, 'session.removed', `session:${name}`),
  ]);
  return removed ? replyNothing() : refuse('not-found', 'There is no session with this id; it may have ended.');
});

/** Without its tokens. The id is the name that the audit log has: the cookie cannot be made from it. */
function showSession(session: Session): JsonObject {
  const { id, login, issuer, subject, scopes } = session;
  return shown({
    id,
    login,
    issuer,
    subject,
    scopes,
    createdAt: timeOf(session.createdAt),
    idleUntil: timeOf(session.idleUntil),
    expiresAt: timeOf(session.expiresAt),
  });
}
