import type { JSONWebKeySet } from 'jose';
import { StoreUnavailable } from '../stores/stores.ts';
import type { BoundedFetch } from './bounded-fetch.ts';
import { readKeys } from './issuer-discovery.ts';
import { issuerFetch } from './issuer-fetch.ts';
import { Introspection, type IntrospectionAnswer } from './issuer-introspection.ts';
import { IssuerKeys } from './issuer-keys.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import type { IssuerKeySet } from './services.ts';

/** The issuers a configuration names. */
export interface DirectorySettings {
  readonly issuers: readonly IssuerSettings[];
  /** The embedded authorization server: it is asked directly, not over HTTP. */
  readonly own: OwnIssuer | undefined;
}

export interface OwnIssuer {
  readonly issuer: string;
  readonly jwks: JSONWebKeySet;
  /** Answers about opaque tokens as RFC 7662 would; undefined where it gives none out. */
  readonly introspect?: ((token: string) => Promise<IntrospectionAnswer>) | undefined;
}

export interface DirectoryOptions {
  /** A set is new or has changed: for the workers. */
  readonly onChange: (set: IssuerKeySet) => void;
  /** The keys of an issuer could not be fetched; the last good ones stay. For the log. */
  readonly onFault: (issuer: string, error: Error) => void;
  /** In milliseconds of any beginning; it must not step back. */
  readonly clock?: (() => number) | undefined;
}

/** The control plane's half of the issuers: it alone fetches, once for all workers. */
export class IssuerDirectory {
  readonly #options: DirectoryOptions;
  readonly #remote = new Map<string, RemoteIssuer>();
  #own: { readonly issuer: OwnIssuer; readonly set: IssuerKeySet } | undefined;
  #generation = 0;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** Puts the issuers of a configuration into force. Those that are unchanged keep their keys; new ones are fetched at once, in the background. */
  update(settings: DirectorySettings): void {
    const wanted = new Map(settings.issuers.map((issuer) => [issuer.issuer, issuer]));
    if (settings.own !== undefined) wanted.delete(settings.own.issuer);
    for (const [name, { spelling }] of this.#remote) {
      const next = wanted.get(name);
      if (next !== undefined && JSON.stringify(next) === spelling) wanted.delete(name);
      else this.#drop(name);
    }
    for (const issuer of wanted.values()) this.#add(issuer);
    this.#takeOwn(settings.own);
  }

  /** The keys of the embedded server have changed; nothing else has. */
  rotateOwn(jwks: JSONWebKeySet): void {
    if (this.#own !== undefined) this.#takeOwn({ ...this.#own.issuer, jwks });
  }

  /** Rejects with StoreUnavailable where the configuration does not name the issuer, or its keys were never had. */
  async keys(issuer: string, want: { readonly refresh: boolean }): Promise<IssuerKeySet> {
    if (this.#own?.issuer.issuer === issuer) return this.#own.set;
    return this.#find(issuer).keys.get(want);
  }

  /** Rejects with StoreUnavailable where the issuer cannot be asked, or gives no answer of RFC 7662 in time. */
  async introspect(issuer: string, token: string): Promise<IntrospectionAnswer> {
    if (this.#own?.issuer.issuer === issuer) {
      if (this.#own.issuer.introspect === undefined) throw unanswerable(issuer);
      return this.#own.issuer.introspect(token);
    }
    const { introspection } = this.#find(issuer);
    if (introspection === undefined) throw unanswerable(issuer);
    return introspection.ask(token);
  }

  /** Every set that is known now, for a worker that has just begun. */
  all(): readonly IssuerKeySet[] {
    const remote = [...this.#remote.values()].map(({ keys }) => keys.known);
    return [this.#own?.set, ...remote].filter((set) => set !== undefined);
  }

  async close(): Promise<void> {
    const fetchers = [...this.#remote.values()].map(({ fetcher }) => fetcher);
    for (const name of [...this.#remote.keys()]) this.#drop(name);
    await Promise.allSettled(fetchers.map((fetcher) => fetcher.close()));
  }

  #find(issuer: string): RemoteIssuer {
    const remote = this.#remote.get(issuer);
    if (remote === undefined) throw new StoreUnavailable(`the configuration does not name the issuer ${issuer}`);
    return remote;
  }

  #add(settings: IssuerSettings): void {
    const fetcher = issuerFetch(settings);
    const keys = new IssuerKeys({
      settings,
      fetcher,
      nextGeneration: () => this.#nextGeneration(),
      onChange: this.#options.onChange,
      onFault: (error) => this.#options.onFault(settings.issuer, error),
      clock: this.#options.clock,
    });
    const credentials = settings.introspection;
    const introspection =
      credentials === undefined
        ? undefined
        : new Introspection({ credentials, fetcher, endpoint: () => introspectionEndpoint(settings, keys) });
    this.#remote.set(settings.issuer, { spelling: JSON.stringify(settings), fetcher, keys, introspection });
    // Not known yet is no fault: the first request asks again, and is told.
    keys.get({ refresh: false }).catch(() => undefined);
  }

  #drop(name: string): void {
    const remote = this.#remote.get(name);
    this.#remote.delete(name);
    remote?.keys.close();
    void remote?.fetcher.close();
  }

  #takeOwn(own: OwnIssuer | undefined): void {
    if (own === undefined) {
      this.#own = undefined;
      return;
    }
    const jwks = readKeys(own.jwks, own.issuer);
    const known = this.#own?.set;
    const same = known?.issuer === own.issuer && JSON.stringify(known.jwks) === JSON.stringify(jwks);
    const set = same ? known : { issuer: own.issuer, jwks, generation: this.#nextGeneration() };
    this.#own = { issuer: own, set };
    if (!same) this.#options.onChange(set);
  }

  #nextGeneration(): number {
    this.#generation += 1;
    return this.#generation;
  }
}

interface RemoteIssuer {
  /** The settings as JSON: changed ones make another issuer. */
  readonly spelling: string;
  readonly fetcher: BoundedFetch;
  readonly keys: IssuerKeys;
  readonly introspection: Introspection | undefined;
}

async function introspectionEndpoint(settings: IssuerSettings, keys: IssuerKeys): Promise<string> {
  const endpoint = settings.introspection?.endpoint ?? (await keys.metadata()).introspectionEndpoint;
  if (endpoint === undefined) throw new Error(`the metadata of ${settings.issuer} has no introspection_endpoint`);
  return endpoint;
}

function unanswerable(issuer: string): StoreUnavailable {
  return new StoreUnavailable(`${issuer} cannot be asked about opaque tokens: it has no introspection credentials`);
}
