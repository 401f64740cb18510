import { checkSpan } from '../counter-span.ts';
import type { Count, Counters } from '../counters.ts';
import { StoreUnavailable } from '../stores.ts';
import type { ValkeyClient } from './client.ts';
import type { EvictionWatch } from './eviction.ts';
import { serverKeys } from './keys.ts';
import { increment, read } from './scripts.ts';

/** Counters on a server that all gateways share: exact over all of them. */
export function valkeyCounters(client: ValkeyClient, eviction: EvictionWatch): Counters {
  return {
    async once(key, ttlMs) {
      checkSpan(ttlMs);
      const asked = eviction.fault();
      const fault = asked === undefined ? undefined : await asked;
      if (fault !== undefined) throw new StoreUnavailable(fault);
      const name = serverKeys(key).once;
      return (await client.ask((connection) => connection.set(name, 1, 'PX', Math.ceil(ttlMs), 'NX'))) === 'OK';
    },
    async increment(key, windowMs) {
      checkSpan(windowMs);
      return countOf(await client.run(increment, serverKeys(key).count, Math.ceil(windowMs)));
    },
    read: async (key) => countOf(await client.run(read, serverKeys(key).count)),
    async clear(key) {
      const { once, count } = serverKeys(key);
      await client.ask((connection) => connection.del(once, count));
    },
    async close() {
      client.close();
    },
  };
}

/** The answer of a script: two integers. */
function countOf(answer: unknown): Count {
  const [count, endsAt]: readonly unknown[] = Array.isArray(answer) ? answer : [];
  if (typeof count !== 'number' || typeof endsAt !== 'number') {
    throw new StoreUnavailable('Valkey gave an answer that is no count.');
  }
  return { count, endsAt };
}
