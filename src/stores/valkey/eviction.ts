import { Cluster, type Redis } from 'ioredis';
import type { Connection, ValkeyClient } from './client.ts';
import { isForbidden } from './faults.ts';

/** Knows of each server that writes go to whether it makes room by throwing out keys that are alive. */
export interface EvictionWatch {
  /**
   * Undefined where all are known to keep what is alive; else they are asked, and the answer is a sentence about one that does
   * not, or undefined. Rejects with StoreUnavailable where it cannot be told.
   */
  fault(): Promise<string | undefined> | undefined;
}

/**
 * An attacker who fills the memory of a server that evicts would be let use a nonce twice. So each is asked again with every
 * new connection: behind its address may be another one by then, or the same with another setting.
 */
export function watchEviction(client: ValkeyClient): EvictionWatch {
  const keepers = new WeakSet<Redis>();
  let asking: Promise<string | undefined> | undefined;

  const ask = async (node: Redis): Promise<string | undefined> => {
    const fault = faultIn(await node.info('memory').catch(textOfForbidden));
    if (fault === undefined) {
      keepers.add(node);
      node.once('close', () => keepers.delete(node));
    }
    return fault;
  };
  const askAll = async (): Promise<string | undefined> =>
    await client.ask(async (connection) => {
      const faults = await Promise.all(unknownNodes(connection, keepers).map(ask));
      return faults.find((fault) => fault !== undefined);
    });

  return {
    fault() {
      if (unknownNodes(client.connection, keepers).length === 0) return undefined;
      asking ??= askAll().finally(() => {
        asking = undefined;
      });
      return asking;
    },
  };
}

/** Of a cluster, a node that is away is passed over: what it has is refused without this, what the others have is served. */
function unknownNodes(connection: Connection, keepers: WeakSet<Redis>): readonly Redis[] {
  const nodes =
    connection instanceof Cluster
      ? connection.nodes('master').filter(({ status }) => status === 'ready' || status === 'wait')
      : [connection];
  return nodes.filter((node) => !keepers.has(node));
}

function faultIn(info: string): string | undefined {
  const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
  if (limit === 0 || policy === 'noeviction') return undefined;
  return (
    `The maxmemory-policy is ${policy} at the Valkey server of the counters, so it forgets what must be remembered; ` +
    'set it to noeviction, or give the counters a server of their own.'
  );
}

/** A user who may not ask is taken at the operator's word: nothing else could be told either. */
function textOfForbidden(error: unknown): string {
  if (isForbidden(error)) return '';
  throw error;
}
