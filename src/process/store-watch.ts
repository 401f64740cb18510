import type { Log } from '../observe/log.ts';

/** Counts what the stores fail at. Of an outage it tells the log when it begins and when it is over, however often they are asked meanwhile. */
export class StoreWatch {
  readonly #log: Pick<Log, 'error' | 'info'>;
  readonly #count: (failures: number) => void;
  readonly #clock: () => number;
  #outage: { readonly since: number; lastAt: number; failures: number } | undefined;

  /** `clock` is in milliseconds of any beginning. */
  constructor(
    log: Pick<Log, 'error' | 'info'>,
    count: (failures: number) => void,
    clock: () => number = () => performance.now(),
  ) {
    this.#log = log;
    this.#count = count;
    this.#clock = clock;
  }

  failed(error: unknown, failures = 1): void {
    this.#count(failures);
    const now = this.#clock();
    if (this.#outage !== undefined) {
      this.#outage.lastAt = now;
      this.#outage.failures += failures;
      return;
    }
    this.#outage = { since: now, lastAt: now, failures };
    this.#log.error({ err: error }, 'the stores do not answer; what cannot be checked is refused until they do');
  }

  /** To be called when the records have answered: an outage is over once nothing else has failed for a while either. */
  look(): void {
    const outage = this.#outage;
    if (outage === undefined || this.#clock() - outage.lastAt < QUIET_MS) return;
    this.#outage = undefined;
    const { since, lastAt, failures } = outage;
    this.#log.info({ failures, lastedMs: Math.round(lastAt - since) }, 'the stores answer again');
  }
}

/** Longer than it takes until what is tried again by itself is tried again. */
const QUIET_MS = 5_000;
