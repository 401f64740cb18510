import { setTimeout as delay } from 'node:timers/promises';
import acme, { type Authorization, type Client, type Order } from 'acme-client';
import { createAcmeTransport } from './acme-transport.ts';

export type ChallengeType = 'http-01' | 'tls-alpn-01';

/** What must be answered for a domain until it is retracted. */
export type PublishedChallenge =
  | {
      readonly type: 'http-01';
      readonly domain: string;
      /** The last segment of /.well-known/acme-challenge/…, base64url. */
      readonly token: string;
      /** The whole body of the answer (RFC 8555 §8.3). */
      readonly keyAuthorization: string;
    }
  | {
      readonly type: 'tls-alpn-01';
      readonly domain: string;
      /** PEM, served to a ClientHello with this SNI that offers only `acme-tls/1` (RFC 8737 §3). */
      readonly cert: string;
      readonly key: string;
    };

export interface ChallengeBoard {
  /** Settles when the challenge can be answered everywhere: the ACME server is told to look right after. */
  publishChallenge(challenge: PublishedChallenge): void | Promise<void>;
  retractChallenge(challenge: PublishedChallenge): void | Promise<void>;
}

export interface OrderOptions {
  readonly directoryUrl: string;
  /** PEM. */
  readonly accountKey: string;
  readonly email: string;
  readonly domains: readonly string[];
  readonly challenge: ChallengeType;
  readonly ca?: string | undefined;
  readonly board: ChallengeBoard;
  readonly signal: AbortSignal;
}

/** A new private key for an ACME account or a certificate, PEM (ECDSA P-256). */
export async function createKey(): Promise<string> {
  return (await acme.crypto.createPrivateEcdsaKey('P-256')).toString();
}

/**
 * Obtains one certificate for all the domains (RFC 8555 §7.4): account, order, challenges, finalisation. Every
 * challenge that was published is retracted, however it ends. Throws what the ACME server said was wrong.
 */
export async function orderCertificate(
  options: OrderOptions,
): Promise<{ readonly cert: string; readonly key: string }> {
  const transport = createAcmeTransport(options);
  try {
    const client = new acme.Client({ directoryUrl: options.directoryUrl, accountKey: options.accountKey });
    transport.attach(client);
    // With a known key this finds the account again (RFC 8555 §7.3.1) and keeps its address in step.
    await client.createAccount({ termsOfServiceAgreed: true, contact: [`mailto:${options.email}`] });
    const identifiers = options.domains.map((value) => ({ type: 'dns', value }));
    const order = await client.createOrder({ identifiers });
    await proveControl(client, order, options);
    const key = await createKey();
    const [, csr] = await acme.crypto.createCsr({ altNames: [...options.domains] }, key);
    const finalized = await client.finalizeOrder(order, csr);
    const valid = await pollOrder(client, finalized, options.signal);
    return { cert: await client.getCertificate(valid), key };
  } finally {
    await transport.close();
  }
}

async function proveControl(client: Client, order: Order, options: OrderOptions): Promise<void> {
  const published: PublishedChallenge[] = [];
  try {
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status === 'valid') continue; // proved for an earlier order, and still good
      const challenge = authorization.challenges.find((candidate) => candidate.type === options.challenge);
      if (challenge === undefined) throw new Error(noSuchChallenge(authorization, options.challenge));
      const keyAuthorization = await client.getChallengeKeyAuthorization(challenge);
      const answer = await answerTo(authorization, {
        type: options.challenge,
        token: challenge.token,
        keyAuthorization,
      });
      published.push(answer);
      await withinDeadline(options.board.publishChallenge(answer), options.signal);
      await client.completeChallenge(challenge);
    }
    await pollAuthorizations(client, order, options.signal);
  } finally {
    await Promise.allSettled(published.map(async (challenge) => options.board.retractChallenge(challenge)));
  }
}

/** A publisher that never settles must not end all renewals, nor hold up a close. */
async function withinDeadline(publishing: void | Promise<void>, closing: AbortSignal): Promise<void> {
  const settled = new AbortController();
  const signal = AbortSignal.any([settled.signal, closing]);
  const late = delay(PUBLISH_DEADLINE, undefined, { signal }).then(() => {
    throw new Error('the challenge could not be published in time');
  });
  try {
    await Promise.race([publishing, late]);
  } finally {
    settled.abort();
    late.catch(() => undefined);
  }
}

async function answerTo(
  authorization: Authorization,
  challenge: { readonly type: ChallengeType; readonly token: string; readonly keyAuthorization: string },
): Promise<PublishedChallenge> {
  const domain = authorization.identifier.value;
  const { type, token, keyAuthorization } = challenge;
  // It becomes part of a path that is answered without further checks.
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(token)) throw new Error('the ACME server sent a token that is not base64url');
  if (type === 'http-01') return { type, domain, token, keyAuthorization };
  const [key, cert] = await acme.crypto.createAlpnCertificate(authorization, keyAuthorization, await createKey());
  return { type, domain, cert: cert.toString(), key: key.toString() };
}

async function pollAuthorizations(client: Client, order: Order, signal: AbortSignal): Promise<void> {
  for (const wait of waits()) {
    const authorizations = await client.getAuthorizations(order);
    const failed = authorizations.find(hasFailed);
    if (failed !== undefined) throw new Error(whyFailed(failed));
    if (authorizations.every(({ status }) => status === 'valid')) return;
    await delay(wait, undefined, { signal });
  }
  throw new Error('the ACME server did not finish its validation in time');
}

/**
 * An authorization ends with its challenge (RFC 8555 §7.1.6), but not every server moves both: smallstep's leaves it
 * pending, and a challenge it could not reach too, with the error beside it.
 */
function hasFailed(authorization: Authorization): boolean {
  if (authorization.status === 'valid') return false;
  if (authorization.status !== 'pending') return true;
  return authorization.challenges.some(
    (challenge) =>
      challenge.status === 'invalid' || (challenge.status === 'pending' && errorOf(challenge) !== undefined),
  );
}

async function pollOrder(client: Client, finalized: Order, signal: AbortSignal): Promise<Order> {
  let order = finalized;
  for (const wait of waits()) {
    if (order.status === 'valid') return order;
    if (order.status === 'invalid')
      throw new Error(`the ACME server refused the order: ${JSON.stringify(order.error)}`);
    await delay(wait, undefined, { signal });
    order = await client.getOrder(order);
  }
  throw new Error('the ACME server did not issue the certificate in time');
}

/** Milliseconds between looks: soon at first, then every five seconds, about two minutes in all. */
function* waits(): Generator<number> {
  for (let wait = 250, waited = 0; waited < 120_000; waited += wait, wait = Math.min(wait * 2, 5000)) yield wait;
}

function noSuchChallenge(authorization: Authorization, wanted: ChallengeType): string {
  const offered = authorization.challenges.map(({ type }) => type).join(', ');
  return `the ACME server does not offer ${wanted} for ${authorization.identifier.value}; it offers ${offered}`;
}

function whyFailed(authorization: Authorization): string {
  const errors = authorization.challenges.map(errorOf).filter((error) => error !== undefined);
  const reasons = errors.map((error) => JSON.stringify(error));
  const reason = reasons.length === 0 ? `the authorization is ${authorization.status}` : reasons.join('; ');
  return `the ACME server could not validate ${authorization.identifier.value}: ${reason.slice(0, 1000)}`;
}

function errorOf(challenge: object): unknown {
  return 'error' in challenge ? challenge.error : undefined;
}

const PUBLISH_DEADLINE = 30_000;
