import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { StoreUnavailable } from '../stores/stores.ts';
import { type KeyRing, keyRing } from './key-ring.ts';
import type { IdentityServices, IssuerKeySet, Issuers } from './services.ts';
import { readClaims, type TokenClaims } from './token-claims.ts';
import { isSignedBy } from './token-signature.ts';
import { jsonObject, LONGEST_TOKEN, type TokenFault, type UnverifiedToken } from './token-syntax.ts';

/** A token whose signature was proved with a key of its issuer. */
export interface VerifiedToken extends TokenClaims {
  readonly issuer: string;
  readonly algorithm: string;
  readonly type: string | undefined;
  /** Of the key set that proved it. */
  readonly generation: number;
  /** The epoch of revocations it was last found good under; -1 before the first look. */
  checkedEpoch: number;
}

type Needed = Pick<IdentityServices, 'issuers' | 'revocations'>;

interface VerifierOptions {
  /** About so much memory is given to tokens that were proved. */
  readonly maxBytes?: number;
  /** In milliseconds of any beginning; it must not step back. */
  readonly clock?: () => number;
}

/**
 * Proves tokens, and remembers those it has proved: the dearest step of a request becomes a look-up (docs/benchmarks.md). What
 * is remembered is only that issuer's signature, bounded in bytes, under the hash of the whole token, and dropped when the
 * issuer's keys change. For whom, for what and how long a token is good is asked again at each use (attack 39).
 */
export class TokenVerifier {
  readonly #services: Needed;
  readonly #verified: LRUCache<string, VerifiedToken>;
  readonly #rings = new Map<string, { readonly generation: number; readonly ring: KeyRing }>();
  readonly #refreshes = new Map<string, Refresh>();

  readonly #clock: () => number;

  constructor(services: Needed, { maxBytes = CACHE_BYTES, clock = () => performance.now() }: VerifierOptions = {}) {
    this.#services = services;
    this.#clock = clock;
    this.#verified = new LRUCache({ max: MOST_TOKENS, maxSize: maxBytes, maxEntrySize: maxBytes });
  }

  /**
   * A token that was proved before, under the keys its issuer has now; no promise and no signature check. `now` in seconds.
   * The text may be anything: what has the hash of a token is that token, so its syntax need not be looked at again.
   */
  remembered(text: string, now: number): VerifiedToken | undefined {
    if (text.length > LONGEST_TOKEN) return undefined;
    const key = keyOf(text);
    const token = this.#verified.get(key);
    if (token === undefined) return undefined;
    if (token.expiresAt > now && this.#services.issuers.known(token.issuer)?.generation === token.generation)
      return token;
    this.#verified.delete(key);
    return undefined;
  }

  /** Proves a token with the keys of the issuer it names; the caller has made sure that this issuer is one of ours to trust. Rejects with StoreUnavailable where its keys cannot be had. */
  async verify(token: UnverifiedToken): Promise<VerifiedToken | TokenFault> {
    const known = this.#services.issuers.known(token.issuer) ?? (await this.#refresh(token.issuer));
    if (known === undefined) throw new StoreUnavailable(`the keys of ${token.issuer} are not known yet`);
    const outcome = this.#prove(token, known);
    // A key that is not known may be new; one that failed without being named may have been replaced.
    const mayBeNew = outcome === 'no-such-key' || (outcome === 'bad-signature' && token.keyId === undefined);
    if (!mayBeNew) return outcome;
    const fresh = await this.#refresh(token.issuer);
    return fresh === undefined || fresh.generation === known.generation ? outcome : this.#prove(token, fresh);
  }

  /** Whether a token of the embedded authorization server was revoked; looked up again only when something was revoked since. */
  isRevoked(token: VerifiedToken): boolean {
    const { revocations } = this.#services;
    const { epoch } = revocations;
    if (token.checkedEpoch === epoch) return false;
    if (revocations.isRevoked(token.facts)) return true;
    token.checkedEpoch = epoch;
    return false;
  }

  #prove(token: UnverifiedToken, set: IssuerKeySet): VerifiedToken | TokenFault {
    const keys = this.#ring(set).fitting(token.keyId, token.algorithm);
    if (keys.length === 0) return 'no-such-key';
    for (const key of keys) {
      if (!isSignedBy(token.text, key, token.algorithm)) continue;
      const claims = jsonObject(payloadOf(token.text));
      if (claims === undefined || claims['iss'] !== set.issuer) return 'bad-claims';
      const read = readClaims(claims);
      if (typeof read === 'string') return read;
      const { algorithm, type } = token;
      const verified = { ...read, issuer: set.issuer, algorithm, type, generation: set.generation, checkedEpoch: -1 };
      this.#verified.set(keyOf(token.text), verified, { size: token.text.length * CLAIMS_FACTOR + ENTRY_BYTES });
      return verified;
    }
    return 'bad-signature';
  }

  #ring(set: IssuerKeySet): KeyRing {
    const known = this.#rings.get(set.issuer);
    if (known?.generation === set.generation) return known.ring;
    const ring = keyRing(set.jwks);
    this.#rings.set(set.issuer, { generation: set.generation, ring });
    return ring;
  }

  /** Where it was asked a moment ago, that answer holds: a flood of unknown key ids sends a few messages a second (attack 37). Rejects with StoreUnavailable. */
  #refresh(issuer: string): Promise<IssuerKeySet | undefined> {
    const latest = this.#refreshes.get(issuer);
    if (latest !== undefined) {
      if (latest.endedAt === undefined) return latest.answer;
      const isRecent = this.#clock() - latest.endedAt < PAUSE;
      if (isRecent) return latest.answer.then(() => this.#services.issuers.known(issuer));
    }
    const refresh: Refresh = { answer: askAgain(this.#services.issuers, issuer), endedAt: undefined };
    const ended = () => {
      refresh.endedAt = this.#clock();
    };
    refresh.answer.then(ended, ended);
    this.#refreshes.set(issuer, refresh);
    return refresh.answer;
  }
}

/** The one verifier of a process: APIs and reloads share what it remembers. */
export function verifierOf(services: Needed): TokenVerifier {
  const known = verifiers.get(services);
  if (known !== undefined) return known;
  const verifier = new TokenVerifier(services);
  verifiers.set(services, verifier);
  return verifier;
}

interface Refresh {
  readonly answer: Promise<IssuerKeySet>;
  endedAt: number | undefined;
}

async function askAgain(issuers: Issuers, issuer: string): Promise<IssuerKeySet> {
  return issuers.refresh(issuer);
}

function payloadOf(compact: string): string {
  return compact.slice(compact.indexOf('.') + 1, compact.lastIndexOf('.'));
}

/** The hash, so that no heap holds tokens that still open something, and so that a key is small. */
function keyOf(text: string): string {
  return hash('sha256', text, 'base64url');
}

const verifiers = new WeakMap<Needed, TokenVerifier>();

/** In milliseconds: how long after an answer no further one is asked for. The control plane has a cool-down of its own. */
const PAUSE = 250;

const MOST_TOKENS = 20_000;
const CACHE_BYTES = 32 * 2 ** 20;
/** Claims as objects take about so many times the bytes of the token they came from. */
const CLAIMS_FACTOR = 2;
const ENTRY_BYTES = 500;
