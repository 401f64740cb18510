import type { JSONWebKeySet } from 'jose';
import { StoreUnavailable } from '../stores/stores.ts';
import type { BoundedFetch } from './bounded-fetch.ts';
import { discover, fetchKeys, type IssuerMetadata } from './issuer-discovery.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import type { IssuerKeySet } from './services.ts';

export interface IssuerKeysOptions {
  readonly settings: IssuerSettings;
  readonly fetcher: BoundedFetch;
  /** Gives a number to a set that differs from the one before. */
  readonly nextGeneration: () => number;
  readonly onChange: (set: IssuerKeySet) => void;
  readonly onFault: (error: Error) => void;
  /** In milliseconds of any beginning; it must not step back. */
  readonly clock?: (() => number) | undefined;
}

/**
 * The keys of one issuer: fetched when they are first asked for, then in the background, and at once for a key that is not
 * known, yet never twice within the cool-down (attack 37). The last good set stays where a fetch fails.
 */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #clock: () => number;
  #set: IssuerKeySet | undefined;
  #metadata: { readonly found: Promise<IssuerMetadata>; readonly until: number } | undefined;
  #underway: Promise<void> | undefined;
  #startedAt = Number.NEGATIVE_INFINITY;
  #fault: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  get known(): IssuerKeySet | undefined {
    return this.#set;
  }

  /**
   * Rejects with StoreUnavailable where there is no set and none can be had now; with `refresh` also where the last fetch failed:
   * whether a key that is not known is one of the issuer's cannot be said then.
   */
  async get(want: { readonly refresh: boolean }): Promise<IssuerKeySet> {
    if (this.#set === undefined || want.refresh) await this.#fetchUnlessCooling();
    if (this.#set !== undefined && (this.#fault === undefined || !want.refresh)) return this.#set;
    const reason = this.#fault?.message ?? 'they are being fetched';
    throw new StoreUnavailable(`the keys of ${this.#options.settings.issuer} cannot be had: ${reason}`);
  }

  /** The issuer's metadata, for its other endpoints: looked for once for all who ask, again after an hour, and where it was not had after a pause. Rejects with FetchFailed. */
  metadata(): Promise<IssuerMetadata> {
    const now = this.#clock();
    if (this.#metadata !== undefined && now < this.#metadata.until) return this.#metadata.found;
    const entry = { found: discover(this.#options.settings.issuer, this.#options.fetcher), until: now + METADATA_AGE };
    entry.found.catch(() => {
      entry.until = this.#clock() + FIRST_PAUSE;
    });
    this.#metadata = entry;
    return entry.found;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #fetchUnlessCooling(): Promise<void> {
    // An issuer that was never reached is tried again sooner: until then nobody gets in.
    const pause = this.#set === undefined ? Math.min(this.#coolDown, FIRST_PAUSE) : this.#coolDown;
    if (this.#underway === undefined && this.#clock() - this.#startedAt < pause) return;
    await this.#fetchOnce();
  }

  async #fetchOnce(): Promise<void> {
    if (this.#closed) return;
    this.#underway ??= this.#fetch().finally(() => {
      this.#underway = undefined;
    });
    await this.#underway;
  }

  get #coolDown(): number {
    return this.#options.settings.coolDown;
  }

  /** Never rejects: what went wrong is kept, and told where it is new. */
  async #fetch(): Promise<void> {
    this.#startedAt = this.#clock();
    if (this.#fault !== undefined) this.#metadata = undefined; // the keys may have moved
    try {
      const url = this.#options.settings.jwks ?? (await this.metadata()).jwksUri;
      if (url === undefined) throw new Error('its metadata has no jwks_uri');
      this.#take(await fetchKeys(url, this.#options.fetcher));
      this.#fault = undefined;
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error(String(error));
      if (!this.#closed) this.#options.onFault(this.#fault);
    }
    this.#schedule();
  }

  #take(jwks: JSONWebKeySet): void {
    if (this.#closed || JSON.stringify(jwks) === JSON.stringify(this.#set?.jwks)) return;
    const { settings, nextGeneration, onChange } = this.#options;
    this.#set = { issuer: settings.issuer, jwks, generation: nextGeneration() };
    onChange(this.#set);
  }

  /**
   * A tenth is left to chance, so that many gateways do not ask at the same moment. Never within the cool-down: what waits so long
   * after the last fetch need not ask whether it may, and no round is left out, which would be the last one.
   */
  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const wanted = this.#fault === undefined ? this.#options.settings.refreshEvery : FIRST_PAUSE;
    const wait = Math.max(this.#coolDown, wanted * (1 - Math.random() / 10));
    this.#timer = setTimeout(() => void this.#fetchOnce(), wait).unref();
  }
}

/** Milliseconds. */
const METADATA_AGE = 3_600_000;
const FIRST_PAUSE = 5_000;
