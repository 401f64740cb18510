/**
 * Shared, fast and forgetful: nonces, login throttles, later rate limits. Exact over all workers (shared memory) or all nodes
 * (Valkey). Bounded in memory; where it is full it refuses with StoreUnavailable instead of forgetting what is alive.
 */
export interface Counters {
  /** True for the first caller of this key within `ttlMs`, false for every other. */
  once(key: string, ttlMs: number): boolean | Promise<boolean>;
  /** Adds one to a count that begins with the first call and ends `windowMs` later; answers the new count and when it ends. */
  increment(key: string, windowMs: number): Count | Promise<Count>;
  /** The present count; zero where there is none. */
  read(key: string): Count | Promise<Count>;
  clear(key: string): void | Promise<void>;
  close(): Promise<void>;
}

export interface Count {
  readonly count: number;
  /** Milliseconds since the epoch; 0 where nothing is counted. */
  readonly endsAt: number;
}
