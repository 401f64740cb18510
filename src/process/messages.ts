import type { JWK } from 'jose';
import type { OwnApp } from '../config/own-routes.ts';
import type { Questions } from '../identity/link.ts';
import type { ReportBatch } from '../identity/report-batch.ts';
import type { IssuerKeySet } from '../identity/services.ts';
import type { AcmeChallengeCertificate, TlsMaterial } from '../listen/listener-options.ts';
import type { AuditRecord } from '../stores/audit.ts';
import type { CountersSettings } from '../stores/open-counters.ts';
import type { RecordsSettings } from '../stores/open-records.ts';

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
  /** Paths of the Unix sockets the gateway's own apps answer on, by app. */
  readonly appSockets: Readonly<Record<OwnApp, string>>;
}

/** Control plane → worker. A reload is two messages, so that no worker runs a configuration that another refused. */
export type ToWorker<Config> =
  | { readonly type: 'prepare'; readonly blueprint: Blueprint<Config> }
  | { readonly type: 'commit'; readonly generation: number }
  | { readonly type: 'abandon'; readonly generation: number }
  | { readonly type: 'challenges'; readonly id: number; readonly challenges: Challenges }
  | { readonly type: 'metrics'; readonly id: number }
  | { readonly type: 'news'; readonly news: News }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown; readonly refusal: string | undefined }
  | { readonly type: 'drain'; readonly deadlineMs: number };

/** Worker → control plane. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'prepared'; readonly generation: number; readonly refusal: string | undefined }
  | { readonly type: 'committed'; readonly generation: number }
  | { readonly type: 'metrics'; readonly id: number; readonly snapshot: unknown }
  | { readonly type: 'challenged'; readonly id: number }
  | { readonly type: 'report'; readonly report: ReportBatch }
  | QuestionMessage
  | { readonly type: 'drained' };

/** A worker asks the control plane; the answer has the same id. */
export type QuestionMessage = {
  readonly [Question in keyof Questions]: {
    readonly type: 'question';
    readonly id: number;
    readonly question: Question;
    readonly facts: Questions[Question]['facts'];
  };
}[keyof Questions];

/** What the control plane tells every worker about callers as it happens, and a new worker all at once. */
export type News =
  | { readonly kind: 'changes'; readonly records: readonly AuditRecord[]; readonly seq: number }
  /** The database came back without what was told last: nothing held of it is true any more, and all from `seq` on comes again. */
  | { readonly kind: 'other-log'; readonly era: number; readonly seq: number }
  | { readonly kind: 'issuer-keys'; readonly set: IssuerKeySet }
  /** A configuration came into force: what is known of other issuers than these is forgotten. */
  | { readonly kind: 'issuers'; readonly issuers: readonly string[] }
  | { readonly kind: 'identity-key'; readonly jwk: JWK; readonly issuer: string };

/** What a worker is born with. */
export interface WorkerFacts {
  readonly number: number;
  /** Memory of the counts that all workers keep together. */
  readonly counts: SharedArrayBuffer;
  readonly stores: StoreFacts;
}

/** How a worker reaches the stores. They are fixed for the life of the process. */
export interface StoreFacts {
  readonly records: RecordsSettings;
  readonly counters: CountersSettings;
  /** Keys of the sealer, the first of which seals. */
  readonly sealingKeys: readonly Uint8Array[];
  /** How far the control plane has read the log of changes. */
  readonly freshness: SharedArrayBuffer;
}
