import { SharedFreshness } from '../identity/freshness.ts';
import { createIdentitySigner } from '../identity/identity-signer.ts';
import { createIssuers } from '../identity/issuer-view.ts';
import { createKeyFinder } from '../identity/key-finder.ts';
import { KeyUses } from '../identity/key-uses.ts';
import { ReportCollector } from '../identity/report-batch.ts';
import { RevocationList, revokingTypes } from '../identity/revocation-list.ts';
import type { IdentityServices } from '../identity/services.ts';
import { createSessionCookies, deriveCookieKey } from '../identity/session-cookie.ts';
import { createSessionFinder } from '../identity/session-finder.ts';
import { LONGEST_TOKEN_MS } from '../identity/token-lifetime.ts';
import type { AuditLog } from '../stores/audit.ts';
import { openCounters } from '../stores/open-counters.ts';
import { openRecords } from '../stores/open-records.ts';
import { createSealer } from '../stores/sealer.ts';
import type { FromWorker, News, StoreFacts, ToWorker } from './messages.ts';
import { watchStores } from './watched-stores.ts';
import { WorkerLink } from './worker-link.ts';

/** What a worker knows of callers, and how it hears of changes. */
export interface WorkerIdentity {
  readonly services: IdentityServices;
  hear(news: News): void;
  answered(message: Extract<ToWorker<never>, { type: 'answer' }>): void;
  /** Sends the last report and lets go of the stores. */
  close(): Promise<void>;
}

/** Last use and refusals are reported so often; a crash loses at most this much of them. */
const REPORT_MS = 1_000;
/** Keys a worker remembers: about 1 KiB each. */
const KEY_CAPACITY = 50_000;
const SESSION_BYTES = 32 * 2 ** 20;
const SWEEP_MS = 60_000;

/**
 * What was revoked while this worker was not there, as far as tokens that may still live are concerned. Changes that are
 * made meanwhile wait at its port. Resolves with the number of the log up to which all is known.
 */
async function catchUp(audit: AuditLog, revocations: RevocationList): Promise<number> {
  const { seq: upTo } = await audit.head();
  let seq = await audit.seqBefore(Date.now() - LONGEST_TOKEN_MS);
  for (;;) {
    const records = await audit.after(seq, BACKLOG_PAGE, revokingTypes);
    revocations.note(records);
    const last = records.at(-1);
    if (last === undefined || records.length < BACKLOG_PAGE) return upTo;
    seq = last.seq;
  }
}

const BACKLOG_PAGE = 1_000;

export async function openWorkerIdentity(
  facts: StoreFacts,
  tell: (message: FromWorker) => void,
): Promise<WorkerIdentity> {
  const sealer = createSealer(facts.sealingKeys);
  const freshness = new SharedFreshness(facts.freshness);
  const records = await openRecords(facts.records, { sealer, readOnly: true });
  const counters = await openCounters(facts.counters);
  const link = new WorkerLink(tell);
  const revocations = new RevocationList({ longestTokenLifetime: LONGEST_TOKEN_MS });
  freshness.takeIn(await catchUp(records.audit, revocations));
  const issuers = createIssuers(link);
  const collector = new ReportCollector();
  const watched = watchStores({ records, counters }, (message) => collector.storeFailed(message));
  const keys = createKeyFinder({ records: watched.records, freshness, capacity: KEY_CAPACITY });
  const sessions = createSessionFinder({
    records: watched.records,
    link,
    cookies: createSessionCookies(deriveCookieKey(facts.sealingKeys[0] ?? new Uint8Array(0))),
    capacityBytes: SESSION_BYTES,
    clock: Date.now,
  });
  const signer = createIdentitySigner();
  const uses = new KeyUses();

  function report(): void {
    const batch = collector.drain(uses.drain(), uses.takeDropped());
    if (batch !== undefined) tell({ type: 'report', report: batch });
  }
  const reporting = setInterval(report, REPORT_MS).unref();
  const sweeping = setInterval(() => revocations.sweep(Date.now()), SWEEP_MS).unref();

  return {
    services: {
      issuers,
      revocations,
      keys,
      sessions,
      replay: watched.replay,
      signer,
      reports: {
        audit: (event) => collector.audit(event),
        keyUsed: (use) => uses.add(use),
        keyRefused: (id, address) => collector.keyRefused(id, address),
      },
    },
    hear(news) {
      switch (news.kind) {
        case 'changes':
          revocations.note(news.records);
          keys.forget(news.records);
          sessions.forget(news.records);
          freshness.takeIn(news.seq);
          return;
        case 'other-log':
          keys.forgetAll(); // of sessions nothing is held for longer than a moment
          freshness.enterEra(news.era, news.seq);
          return;
        case 'issuer-keys':
          issuers.note(news.set);
          return;
        case 'issuers':
          issuers.keep(news.issuers);
          return;
        case 'identity-key':
          signer.use(news.jwk, news.issuer);
          return;
      }
    },
    answered: ({ id, answer, refusal }) => link.answered(id, answer, refusal),
    async close() {
      clearInterval(reporting);
      clearInterval(sweeping);
      report();
      await Promise.allSettled([records.close(), counters.close()]);
    },
  };
}
