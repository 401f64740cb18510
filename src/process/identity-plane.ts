import type { JWK } from 'jose';
import { type Feed, followAuditLog } from '../identity/feed.ts';
import { SharedFreshness } from '../identity/freshness.ts';
import { type DirectorySettings, IssuerDirectory } from '../identity/issuer-directory.ts';
import { KeyWatch } from '../identity/key-watch.ts';
import type { ReportBatch } from '../identity/report-batch.ts';
import { createSigningKeys, type SigningKeys } from '../identity/signing-keys.ts';
import type { Log } from '../observe/log.ts';
import { type AuditEvent, type AuditRecord, auditTypes, type ChainHead } from '../stores/audit.ts';
import { GENESIS_HASH } from '../stores/audit-chain.ts';
import type { Counters } from '../stores/counters.ts';
import { openCounters } from '../stores/open-counters.ts';
import { openRecords } from '../stores/open-records.ts';
import { createSealer, type Sealer } from '../stores/sealer.ts';
import { type Records, StoreUnavailable } from '../stores/stores.ts';
import { AuditQueue } from './audit-queue.ts';
import type { News, QuestionMessage, StoreFacts } from './messages.ts';
import { StoreWatch } from './store-watch.ts';

/** What the control plane counts of callers, for the metrics. */
export interface IdentityMetrics {
  anomaly(reason: string): void;
  auditDropped(count: number): void;
  keyUsesDropped(count: number): void;
  storeFailed(count: number): void;
}

export interface IdentityPlaneOptions {
  readonly facts: StoreFacts;
  readonly log: Log;
  readonly metrics: IdentityMetrics;
}

/** What the rest of the control plane uses of the stores. */
export interface Foundations {
  readonly records: Records;
  readonly counters: Counters;
  readonly sealer: Sealer;
}

/** The issuer of the JWTs that tell upstreams who calls; their keys are at /.well-known/jwks.json of internal listeners. */
const IDENTITY_ISSUER = 'sallyport';
/** Identity JWTs live a minute or so; upstreams may keep the key set for an hour. */
const IDENTITY_OVERLAP_MS = 2 * 60 * 60 * 1000;
const IDENTITY_ROTATION_MS = 30 * 24 * 60 * 60 * 1000;
const SWEEP_MS = 10 * 60 * 1000;
/** Uses of keys are written so often, in one transaction; a crash loses at most as much of them. */
const NOTE_USES_MS = 2_000;

/**
 * The control plane's half of identity: it owns the stores, follows what other processes change in them, fetches the keys of
 * issuers, and tells the workers. What people and programs talk to (the authorization server, logins, the admin API) stands
 * on it in identity-apps.ts.
 */
export class IdentityPlane {
  readonly foundations: Foundations;
  /** What the keys of session cookies are derived from. */
  readonly cookieKeySource: Uint8Array;
  readonly identityKeys: SigningKeys;
  readonly issuers: IssuerDirectory;
  /** Hears of every failure of a store, also of those the workers met. */
  readonly stores: StoreWatch;
  readonly #log: Log;
  readonly #metrics: IdentityMetrics;
  readonly #freshness: SharedFreshness;
  readonly #audit: AuditQueue;
  readonly #watch: KeyWatch;
  readonly #sweeping: NodeJS.Timeout;
  readonly #noting: NodeJS.Timeout;
  readonly #onChange = new Set<(records: readonly AuditRecord[]) => void>();
  #feed: Feed | undefined;
  #tell: ((news: News) => void) | undefined;
  /** How far the log reached when this process began. */
  #begin: ChainHead = { seq: 0, hash: GENESIS_HASH };

  static async open(options: IdentityPlaneOptions): Promise<IdentityPlane> {
    const { facts } = options;
    const sealer = createSealer(facts.sealingKeys);
    const records = await openRecords(facts.records, { sealer, readOnly: false });
    let counters: Counters | undefined;
    try {
      counters = await openCounters(facts.counters);
      const plane = new IdentityPlane(options, { records, counters, sealer });
      await plane.identityKeys.start();
      plane.#begin = await records.audit.head();
      return plane;
    } catch (error) {
      await Promise.allSettled([records.close(), counters?.close()]);
      throw error;
    }
  }

  private constructor({ facts, log, metrics }: IdentityPlaneOptions, foundations: Foundations) {
    this.foundations = foundations;
    this.cookieKeySource = facts.sealingKeys[0] ?? new Uint8Array(0);
    this.stores = new StoreWatch(log, (failures) => metrics.storeFailed(failures));
    this.#log = log;
    this.#metrics = metrics;
    this.#freshness = new SharedFreshness(facts.freshness);
    const { records } = foundations;
    this.#audit = new AuditQueue(records.audit, {
      onDropped: (count) => metrics.auditDropped(count),
      onFailure: (error) => this.stores.failed(error),
    });
    this.identityKeys = createSigningKeys({
      records,
      use: 'identity',
      algorithms: ['ES256'],
      rotateAfter: IDENTITY_ROTATION_MS,
      overlap: IDENTITY_OVERLAP_MS,
      onChange: () => this.#tell?.(this.#identityKey()),
      onFault: (error) => this.stores.failed(error),
    });
    this.issuers = new IssuerDirectory({
      onChange: (set) => this.#tell?.({ kind: 'issuer-keys', set }),
      onFault: (issuer, error) => log.warn({ issuer, err: error }, 'the keys of an issuer could not be fetched'),
    });
    this.#watch = new KeyWatch({
      records,
      report: (event) => {
        metrics.anomaly(String(event.detail?.['reason'] ?? 'unknown'));
        this.audit(event);
      },
    });
    this.#sweeping = setInterval(() => void this.#sweep(), SWEEP_MS).unref();
    this.#noting = setInterval(() => void this.#noteUses(), NOTE_USES_MS).unref();
  }

  /** From now on workers hear of everything; those that were born before have heard of what stands. */
  follow(tell: (news: News) => void): void {
    this.#tell = tell;
    this.#feed = followAuditLog({
      records: this.foundations.records,
      after: this.#begin,
      onRecords: (records) => this.#heard(records),
      onOtherLog: (seq) => this.#startOver(seq),
      onRead: (seq, readAt) => {
        this.stores.look();
        this.#freshness.note(seq, readAt);
      },
      onFailure: (error) => this.stores.failed(error),
    });
  }

  /** What a new worker has to know before it serves, and cannot read in the records itself. */
  greet(tell: (news: News) => void): void {
    for (const set of this.issuers.all()) tell({ kind: 'issuer-keys', set });
    tell(this.#identityKey());
  }

  /** Puts the issuers of a configuration into force. */
  applyIssuers(settings: DirectorySettings): void {
    this.issuers.update(settings);
    const names = [settings.own, ...settings.issuers].flatMap((one) => (one === undefined ? [] : [one.issuer]));
    this.#tell?.({ kind: 'issuers', issuers: names });
  }

  /** Hears of every change, whichever process made it. */
  onChange(listener: (records: readonly AuditRecord[]) => void): void {
    this.#onChange.add(listener);
  }

  /** Has an event written soon, together with others. */
  audit(event: AuditEvent): void {
    this.#audit.add(event);
  }

  /** Reads the log of changes at once: this process has just changed something. */
  nudge(): void {
    this.#feed?.nudge();
  }

  report({ events, uses, usesDropped, refusedKeys, dropped, storeFailures }: ReportBatch): void {
    for (const { event, count } of events)
      this.#audit.add(count === 1 ? event : { ...event, detail: { ...event.detail, count } });
    if (dropped > 0) this.#metrics.auditDropped(dropped);
    if (usesDropped > 0) this.#metrics.keyUsesDropped(usesDropped);
    if (storeFailures !== undefined)
      this.stores.failed(new StoreUnavailable(storeFailures.message), storeFailures.count);
    for (const use of uses) this.#watch.used(use);
    for (const refusal of refusedKeys) this.#watch.refused(refusal);
  }

  /** Answers a worker. The sessions' questions are the login app's. */
  answer(message: Exclude<QuestionMessage, { question: 'session.refresh' | 'session.touch' }>): Promise<unknown> {
    switch (message.question) {
      case 'issuer.keys':
        return this.issuers.keys(message.facts.issuer, { refresh: message.facts.refresh });
      case 'issuer.introspect':
        return this.issuers.introspect(message.facts.issuer, message.facts.token);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    clearInterval(this.#noting);
    await this.#noteUses();
    this.identityKeys.close();
    await Promise.allSettled([this.#feed?.close(), this.#audit.close(), this.issuers.close()]);
    await Promise.allSettled([this.foundations.records.close(), this.foundations.counters.close()]);
  }

  #heard(records: readonly AuditRecord[]): void {
    const seq = records.at(-1)?.seq ?? 0;
    const changes = records.filter(isChange);
    // Sent even where nothing is to be forgotten: a worker is as fresh as the last number it has heard.
    this.#tell?.({ kind: 'changes', records: changes, seq });
    for (const listener of this.#onChange) listener(records);
    if (changes.some(({ type, detail }) => type.startsWith('signing-key.') && detail?.['use'] === 'identity'))
      this.identityKeys.refresh().catch((error) => this.stores.failed(error));
  }

  #startOver(seq: number): void {
    this.#log.error(
      { seq },
      'the database has lost its last changes: what is held of it is let go and the audit log read again',
    );
    // First the era: from here on no worker trusts what it holds, whenever it hears why.
    const era = this.#freshness.beginEra();
    this.#tell?.({ kind: 'other-log', era, seq });
  }

  #identityKey(): News {
    const key = this.identityKeys.active('ES256');
    // makeSigningKey has made it: a private JWK.
    return {
      kind: 'identity-key',
      jwk: { ...(key.privateJwk as JWK), kid: key.kid, alg: key.alg },
      issuer: IDENTITY_ISSUER,
    };
  }

  async #noteUses(): Promise<void> {
    try {
      await this.#watch.flush();
    } catch (error) {
      this.stores.failed(error);
    }
    const dropped = this.#watch.takeDropped();
    if (dropped > 0) this.#metrics.keyUsesDropped(dropped);
  }

  async #sweep(): Promise<void> {
    try {
      await this.foundations.records.sessions.sweep(Date.now()); // the authorization server sweeps what is its own
    } catch (error) {
      this.stores.failed(error);
    }
  }
}

/** While gateways are upgraded one by one the log has types that this version does not know: such a record may end anything, and must not stop the rest. */
function isChange({ type }: AuditRecord): boolean {
  const known: Readonly<Record<string, { readonly invalidates: boolean }>> = auditTypes;
  return known[type]?.invalidates ?? true;
}
