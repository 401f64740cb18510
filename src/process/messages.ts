import type { AcmeChallengeCertificate, TlsMaterial } from '../listen/listener-options.ts';

/** TLS material by listener name, read by the control plane; private keys never leave this process. */
export type Materials = Readonly<Record<string, Omit<TlsMaterial, 'acmeAlpn' | 'ticketKeys'>>>;

/** Answers to ACME challenges under way (RFC 8555 §8.3, RFC 8737). */
export interface Challenges {
  /** Token → key authorization, served on port-80 listeners. */
  readonly http: Readonly<Record<string, string>>;
  readonly alpn: readonly AcmeChallengeCertificate[];
}

/** Everything a worker needs to compile a Gateway; structured-cloneable. */
export interface Blueprint<Config> {
  readonly generation: number;
  readonly version: string;
  readonly config: Config;
  /** The TypeScript configuration file to import custom policies from, if that is where the configuration came from. */
  readonly policiesFrom: string | undefined;
  readonly materials: Materials;
  /** Contents of the PEM files the upstreams' TLS settings name, by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly challenges: Challenges;
  readonly ticketKeys: Uint8Array;
  /** Path of the Unix socket the internal apps answer on. */
  readonly internalSocket: string;
}

/** Control plane → worker. A reload is two messages, so that no worker runs a configuration that another refused. */
export type ToWorker<Config> =
  | { readonly type: 'prepare'; readonly blueprint: Blueprint<Config> }
  | { readonly type: 'commit'; readonly generation: number }
  | { readonly type: 'abandon'; readonly generation: number }
  | { readonly type: 'challenges'; readonly id: number; readonly challenges: Challenges }
  | { readonly type: 'metrics'; readonly id: number }
  | { readonly type: 'drain'; readonly deadlineMs: number };

/** Worker → control plane. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'prepared'; readonly generation: number; readonly refusal: string | undefined }
  | { readonly type: 'committed'; readonly generation: number }
  | { readonly type: 'metrics'; readonly id: number; readonly snapshot: unknown }
  | { readonly type: 'challenged'; readonly id: number }
  | { readonly type: 'drained' };

/** What a worker is born with. */
export interface WorkerFacts {
  readonly number: number;
  /** Memory of the counts that all workers keep together. */
  readonly counts: SharedArrayBuffer;
}
