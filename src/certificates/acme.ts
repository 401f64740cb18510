import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { domainToASCII } from 'node:url';
import { createFileOnce, ensurePrivateDirectory, readIfPresent } from '../lib/private-files.ts';
import type { ChallengeBoard, ChallengeType } from './acme-order.ts';
import { type Certificate, inspectPair } from './certificate-pair.ts';
import { type KeptCertificate, keepCertificate, readKeptCertificate, renewalDue } from './kept-certificate.ts';

export type { ChallengeType, PublishedChallenge } from './acme-order.ts';

export interface AcmeOptions {
  /** Where the account key and certificates are kept, 0600; made with 0700. */
  readonly directory: string;
  /** Host names for one certificate; the first names it in the log. */
  readonly domains: readonly string[];
  readonly email: string;
  readonly challenge: ChallengeType;
  /** The ACME server's directory. Whoever starts a manager has agreed to that server's terms of service. */
  readonly directoryUrl: string;
  /** Roots to trust for the ACME server besides the system's, PEM. */
  readonly ca?: string | undefined;
  /** A pino logger fits. */
  readonly log: AcmeLog;
  readonly publish: AcmePublisher;
  /** Milliseconds since the epoch; the system's clock unless a test sets it. */
  readonly now?: () => number;
  readonly timing?: Partial<AcmeTiming>;
}

export interface AcmePublisher extends ChallengeBoard {
  /** Called with the kept certificate after the start, and with each new one. */
  publishCertificate(certificate: Certificate): void | Promise<void>;
}

export interface AcmeLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** Milliseconds. A third up or down is left to chance, so that many gateways do not ask at one moment. */
export interface AcmeTiming {
  /** The longest time between two looks at the certificate; bounds what a sleep of the machine can cost. */
  readonly checkEvery: number;
  /** The wait after a first failure; it doubles with each further one, up to `slowestRetry`. */
  readonly firstRetry: number;
  readonly slowestRetry: number;
}

export interface AcmeManager {
  /** Begins at once, in the background; failures go to the log and are tried again. */
  start(): void;
  /** Ends what is under way, and settles when nothing runs any more. */
  close(): Promise<void>;
}

/**
 * Keeps one certificate alive through an ACME server (RFC 8555): issues it when there is none, renews it when a
 * third of its life is left, and publishes it. Until the first arrives the caller serves another one.
 * Throws at once on domains these challenges cannot prove.
 */
export function createAcmeManager(options: AcmeOptions): AcmeManager {
  const domains = checkedDomains(options.domains);
  const now = options.now ?? Date.now;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const accountFile = join(options.directory, `account-${digest(options.directoryUrl)}.pem`);
  const certificateId = digest([options.directoryUrl, ...[...domains].sort()].join('\n'));
  const certificateFile = join(options.directory, `${domains[0] ?? 'none'}-${certificateId}.pem`);
  const closing = new AbortController();
  let current: KeptCertificate | undefined;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let announced: string | undefined;

  function run(): void {
    running = round().then((wait) => {
      if (!closing.signal.aborted) timer = setTimeout(run, wait).unref();
    });
  }

  /** One look at the certificate, and what it asks for; returns the time to the next look. Never rejects. */
  async function round(): Promise<number> {
    try {
      await ensureCertificate();
      failures = 0;
      const due = current === undefined ? 0 : renewalDue(current) - now();
      return jittered(Math.min(timing.checkEvery, Math.max(ONE_SECOND, due)));
    } catch (error) {
      if (closing.signal.aborted) return 0;
      failures += 1;
      const wait = retryDelay(error, failures, timing);
      const serving = current !== undefined && current.notAfter.getTime() > now();
      const facts = { domains, err: error, failures, retryInSeconds: Math.round(wait / 1000) };
      if (serving) options.log.warn(facts, 'the certificate could not be renewed; the present one is still good');
      else options.log.error(facts, 'no certificate could be obtained');
      return wait;
    }
  }

  async function ensureCertificate(): Promise<void> {
    if (current === undefined) {
      await ensurePrivateDirectory(options.directory);
      current = await readKeptCertificate(certificateFile, now());
    }
    if (current !== undefined) await announce(current); // before the renewal, which may take long or fail
    if (current !== undefined && now() < renewalDue(current)) return;
    current = await obtain();
    await announce(current);
    if (now() >= renewalDue(current)) {
      // Without this a clock that is ahead would ask for certificates without end.
      throw new Error(`the new certificate already needs renewal: it ends at ${current.notAfter.toISOString()}`);
    }
  }

  async function obtain(): Promise<KeptCertificate> {
    // Loaded only when something is to be ordered: acme-client costs a third of a second of start-up.
    const { createKey, orderCertificate } = await import('./acme-order.ts');
    const accountKey =
      (await readIfPresent(accountFile)) ?? (await createFileOnce(accountFile, await createKey(), 0o600));
    const pem = await orderCertificate({
      ...options,
      domains,
      accountKey,
      board: options.publish,
      signal: closing.signal,
    });
    const { faults } = inspectPair(pem, now());
    const missing = domains.filter((domain) => new X509Certificate(pem.cert).checkHost(domain) === undefined);
    if (missing.length > 0) throw new Error(`the ACME server’s certificate does not name ${missing.join(', ')}`);
    if (faults.length > 0)
      throw new Error(`the ACME server’s certificate: ${faults.map((fault) => fault.problem).join('; ')}`);
    await keepCertificate(certificateFile, pem);
    const kept = await readKeptCertificate(certificateFile, now());
    if (kept === undefined) throw new Error(`${certificateFile}: the certificate just written cannot be read back`);
    return kept;
  }

  /** Once for each certificate, and again when the publisher failed. */
  async function announce({ cert, key, names, notAfter }: KeptCertificate): Promise<void> {
    if (announced === cert) return;
    await options.publish.publishCertificate({ cert, key, names, notAfter });
    announced = cert;
    options.log.info({ domains, notAfter }, 'the ACME certificate is served');
  }

  return {
    start(): void {
      if (running === undefined && !closing.signal.aborted) run();
    },
    async close(): Promise<void> {
      closing.abort();
      clearTimeout(timer);
      await running;
    },
  };
}

/** Neither challenge can prove a wildcard (RFC 8555 §8.3, RFC 8737 §3), and names alone are asked for. */
function checkedDomains(domains: readonly string[]): readonly string[] {
  const names = [...new Set(domains.map((domain) => domainToASCII(domain.replace(/\.$/, ''))))];
  const odd = domains.find((domain) => !isHostName(domainToASCII(domain.replace(/\.$/, ''))));
  if (names.length === 0) throw new Error('acme: domains is empty; name the hosts the certificate is for');
  if (odd !== undefined) {
    throw new Error(
      `acme: ${JSON.stringify(odd)} cannot be proved by this challenge; give a host name, no wildcard and no address`,
    );
  }
  return names;
}

function isHostName(name: string): boolean {
  return name.length <= 253 && isIP(name) === 0 && HOST_NAME.test(name);
}

/** Exponential, unless the ACME server said when to come back (bounded: a wild answer must not end renewal). */
function retryDelay(error: unknown, failures: number, timing: AcmeTiming): number {
  const doubled = Math.min(timing.slowestRetry, timing.firstRetry * 2 ** Math.min(failures - 1, 30));
  const asked =
    error instanceof Error && 'retryAfter' in error && typeof error.retryAfter === 'number' ? error.retryAfter : 0;
  return Math.max(jittered(doubled), Math.min(asked, MAX_RETRY_AFTER));
}

function jittered(wait: number): number {
  return wait * (2 / 3 + (Math.random() * 2) / 3);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

const ONE_SECOND = 1000;
const MINUTE = 60_000;
const DEFAULT_TIMING: AcmeTiming = { checkEvery: 60 * MINUTE, firstRetry: MINUTE, slowestRetry: 360 * MINUTE };
const MAX_RETRY_AFTER = 24 * 60 * MINUTE;
const HOST_NAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
