import type { ValkeyClient } from './client.ts';

/**
 * Rejects where the server makes room by throwing out keys that are alive: an attacker who fills its memory would be let use
 * a nonce twice. Says nothing where the server cannot be asked, or may not be.
 */
export async function refuseForgetful(client: ValkeyClient): Promise<void> {
  const info = await client.ask((connection) => connection.info('memory')).catch(() => '');
  const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
  if (limit === 0 || policy === 'noeviction') return;
  throw new Error(
    `The maxmemory-policy is ${policy} at the Valkey server of the counters, so it forgets what must be remembered; ` +
      'set it to noeviction, or give the counters a server of their own.',
  );
}
