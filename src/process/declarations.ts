import type { GatewayConfig } from '../config/schema.ts';
import type { Log } from '../observe/log.ts';

export interface DeclarationsOptions {
  /** Makes the records say what a configuration declares; resolves with what could not be, as sentences. */
  readonly declare: (config: GatewayConfig) => Promise<readonly string[]>;
  readonly onDeclared: () => void;
  readonly log: Log;
  /** How long after a failure it is tried again, in milliseconds. */
  readonly retryAfter: number;
}

/**
 * Writes what the newest configuration declares into the records. One run at a time: an older one beside or behind it would bring back
 * keys and clients that the newer file has dropped. While the records are away it is tried again, unless the file has changed since.
 */
export class Declarations {
  readonly #options: DeclarationsOptions;
  #newest = 0;
  #last: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;

  constructor(options: DeclarationsOptions) {
    this.#options = options;
  }

  /** Resolves once it is in force, given up for a newer one, or to be tried again; it never rejects. */
  follow(config: GatewayConfig): Promise<void> {
    this.#newest += 1;
    return this.#queue(config, this.#newest);
  }

  /** Resolves once no run is under way; none begins any more. */
  close(): Promise<void> {
    this.#newest += 1;
    clearTimeout(this.#retry);
    return this.#last;
  }

  #queue(config: GatewayConfig, number: number): Promise<void> {
    clearTimeout(this.#retry);
    this.#last = this.#last.then(() => this.#run(config, number));
    return this.#last;
  }

  async #run(config: GatewayConfig, number: number): Promise<void> {
    const { declare, onDeclared, log, retryAfter } = this.#options;
    if (number !== this.#newest) return;
    try {
      const faults = await declare(config);
      for (const fault of faults) log.error({ fault }, 'a declaration of the configuration is not in force');
      onDeclared();
    } catch (err) {
      log.error({ err }, 'the declarations of the configuration are not in force yet');
      if (number === this.#newest) this.#retry = setTimeout(() => void this.#queue(config, number), retryAfter).unref();
    }
  }
}
