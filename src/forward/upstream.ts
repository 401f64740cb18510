import { ConnectionPool, type PoolOptions } from './connection-pool.ts';
import { type TargetTls, targetAddress } from './target-address.ts';

export interface UpstreamOptions extends PoolOptions {
  readonly targets: readonly string[];
  readonly tls: TargetTls | undefined;
}

/** A service behind the gateway: its targets take turns. */
export interface Upstream {
  readonly pools: readonly ConnectionPool[];
  /** The pool whose turn it is. */
  next(): ConnectionPool;
  /** Closes every connection as it becomes free. */
  retire(): void;
}

export function openUpstream(options: UpstreamOptions): Upstream {
  const pools = options.targets.map((target) => new ConnectionPool(targetAddress(target, options.tls), options));
  let turn = 0;
  return {
    pools,
    next() {
      turn = (turn + 1) % pools.length;
      return pools[turn] as ConnectionPool; // the schema asks for at least one target
    },
    retire() {
      for (const pool of pools) pool.retire();
    },
  };
}
