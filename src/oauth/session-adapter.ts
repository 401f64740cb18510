import { type Adapter, Provider } from 'oidc-provider';
import type { Artifacts } from '../stores/artifacts.ts';

/**
 * A session that was ended does not come back. oidc-provider writes every session it found again when it has answered, however
 * long that took; whoever holds a stolen cookie and sends a body slowly would have it back after "sign out everywhere".
 *
 * The store has no write that only changes what is there, but it keeps the mark of `consume` over every other write: a session
 * gets the mark when it is born, and one that is written after it was removed has none. Without the mark it opens nothing.
 */
export function sessionAdapter(stored: Adapter, artifacts: Artifacts): Adapter {
  /** The id of the session that is there for a request; none where it found none. */
  const present = new WeakMap<object, string>();

  /** Writes over a session; false where it was removed meanwhile. */
  const write: (...session: Parameters<Adapter['upsert']>) => Promise<boolean> = async (id, payload, expiresIn) => {
    await stored.upsert(id, payload, expiresIn);
    if (isAlive(await stored.find(id))) return true;
    await stored.destroy(id);
    return false;
  };

  return {
    ...stored,
    async find(id) {
      const session = await stored.find(id);
      if (!isAlive(session)) return undefined;
      const request = Provider.ctx?.oidc;
      if (request !== undefined) present.set(request, id);
      return session;
    },
    async findByUid(uid) {
      const session = await stored.findByUid(uid);
      return isAlive(session) ? session : undefined;
    },
    async upsert(id, payload, expiresIn) {
      const request = Provider.ctx?.oidc;
      const old = request === undefined ? undefined : present.get(request);
      if (id === old) return void (await write(id, payload, expiresIn));
      // A new id takes over, as at each sign-in. It is written before the old one is looked at: who ends the session in between
      // removes both.
      await stored.upsert(id, payload, expiresIn);
      if (old !== undefined && !(await write(old, payload, expiresIn))) return await stored.destroy(id);
      await artifacts.consume('Session', id, Date.now());
      if (old !== undefined) await stored.destroy(old);
      if (request !== undefined) present.set(request, id);
    },
    async destroy(id) {
      // oidc-provider takes the old id away before it writes the new one; here that is done after it.
      const session: object | undefined = Provider.ctx?.oidc?.session;
      const isReplaced = session !== undefined && 'oldId' in session && session.oldId === id;
      if (!isReplaced) await stored.destroy(id);
    },
  };
}

function isAlive(session: Awaited<ReturnType<Adapter['find']>>): boolean {
  return typeof session === 'object' && session.consumed !== undefined;
}
