import { StoreUnavailable } from '../stores.ts';

/** Where changes of one process wait for each other. */
export interface ChangeLine {
  /** Runs work when its turn has come. Rejects with StoreUnavailable where it comes too late, or too many wait. */
  inTurn<Outcome>(work: () => Promise<Outcome>): Promise<Outcome>;
  /** Resolves when all that wait now have had their turn. */
  drained(): Promise<unknown>;
  /** When the patience of the one whose turn it is ends, on the clock of `performance.now`. */
  readonly endsAt: number;
}

/**
 * The clock of a change begins as it is asked for. Were it to begin with its turn, each in the line would wait in full for the
 * lock that another process holds, one after the other, and whoever asked would have gone long before.
 */
export function changeLine(limits: { readonly patienceMs: number; readonly waiting: number }): ChangeLine {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let endsAt = 0;
  return {
    async inTurn(work) {
      if (waiting >= limits.waiting) throw new StoreUnavailable('Too many changes wait for the database file.');
      waiting += 1;
      const ownEnd = performance.now() + limits.patienceMs;
      const turn = last.then(async () => {
        waiting -= 1;
        if (performance.now() > ownEnd) throw new StoreUnavailable('The changes before it took too long.');
        endsAt = ownEnd;
        return await work();
      });
      last = turn.catch(() => undefined);
      return await turn;
    },
    drained: () => last,
    get endsAt() {
      return endsAt;
    },
  };
}
