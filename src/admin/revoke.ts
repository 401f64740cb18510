import type { Session } from '../stores/stores.ts';
import { type Call, eventOf } from './action.ts';

/**
 * Takes away what a user or a client holds: grants with their tokens and codes, sign-ins, and for a user the sessions of
 * browsers at the gateway's logins. The audit record that stops the tokens already given out must stand before.
 */
export async function endEverythingOf(
  call: Call,
  owner: { readonly user: string } | { readonly client: string },
): Promise<void> {
  const { artifacts, audit } = call.services.records;
  const grants = await artifacts.revokeAll(
    'user' in owner ? { accountId: owner.user } : { clientId: owner.client },
    [],
  );
  const because = 'user' in owner ? { user: owner.user } : { client: owner.client };
  for (let start = 0; start < grants.length; start += BATCH)
    await audit.append(
      grants.slice(start, start + BATCH).map((id) => eventOf(call, 'grant.revoked', `grant:${id}`, because)),
    );
  if ('user' in owner) await endBrowserSessions(call, owner.user);
}

async function endBrowserSessions(call: Call, user: string): Promise<void> {
  const issuer = call.services.issuer();
  if (issuer === undefined) return;
  const { sessions } = call.services.records;
  let after: string | undefined;
  do {
    const page = await sessions.list({ subject: user }, { limit: BATCH, after });
    // Another provider may have given the same `sub` to somebody else.
    for (const session of page.items.filter((candidate) => candidate.issuer === issuer))
      await endSession(call, session);
    after = page.next;
  } while (after !== undefined);
}

/** Of a session as a listing has it, with its name for an id. False where it has ended. */
function endSession(call: Call, { id, login, subject }: Pick<Session, 'id' | 'login' | 'subject'>): Promise<boolean> {
  return call.services.records.sessions.removeByName(id, [
    eventOf(call, 'session.removed', `session:${id}`, { login, subject }),
  ]);
}

const BATCH = 200;
