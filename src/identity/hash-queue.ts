import { StoreUnavailable } from '../stores/stores.ts';

/** Too many passwords wait to be checked: the answer is 503, and nothing may be concluded about the password. */
export class TooManyHashings extends StoreUnavailable {}

export interface HashQueue {
  /** Runs the work when its turn comes; rejects with TooManyHashings where the queue is full. */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** At most `atOnce` pieces of work at a time, and at most `waiting` behind them. */
export function createHashQueue(limits: { readonly atOnce: number; readonly waiting: number }): HashQueue {
  const waiters: (() => void)[] = [];
  let running = 0;

  async function run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (running >= limits.atOnce) {
      if (waiters.length >= limits.waiting) throw new TooManyHashings('too many passwords wait to be checked');
      // Who is woken takes over the place of who woke it, so `running` stays as it is.
      await new Promise<void>((resolve) => waiters.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      const next = waiters.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  }

  return { run };
}
