import { createHmac, hkdfSync } from 'node:crypto';
import { canonicalAddress } from '../../lib/cidr.ts';
import { parseCidr } from '../../lib/network-address.ts';
import type { Counters } from '../../stores/counters.ts';

/** One try to prove who somebody is. */
export interface Attempt {
  /** Passwords and codes are counted apart: who does not know the password cannot use up the tries at the code. */
  readonly kind: 'password' | 'code';
  readonly address: string;
  /** The folded username for passwords, whether it exists or not; the id of the account for codes. */
  readonly account: string;
  /** A browser this account signed in with before, by the id in its sealed cookie. */
  readonly knownBrowser: string | undefined;
}

export type Admission =
  | { readonly admitted: true }
  | {
      readonly admitted: false;
      readonly by: 'account' | 'address';
      /** Milliseconds since the epoch. */
      readonly until: number;
      /** Whether this is the first refusal since the last try, for the audit log: a flood is one event. */
      readonly first: boolean;
    };

export interface Throttle {
  /** Rejects with StoreUnavailable where that cannot be said: then nobody may try. */
  admit(attempt: Attempt): Promise<Admission>;
  failed(attempt: Attempt): Promise<void>;
  succeeded(attempt: Attempt): Promise<void>;
}

/**
 * Slows guessing down per account and per address (attack 47): some tries are free, then each next one has to wait twice as
 * long, up to a limit; nobody is ever locked out. Whoever hammers at an account takes the turns of strangers only: a browser
 * that has signed in to the account before has tries of its own, and passkeys are not counted at all.
 */
export function createThrottle(counters: Counters, secret: Uint8Array): Throttle {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'sallyport throttle', 32));

  /** The store holds no name that was typed: people type passwords there. */
  const accountKey = ({ kind, account, knownBrowser }: Attempt): string =>
    `sign-in:${kind}:${createHmac('sha256', key)
      .update(JSON.stringify([account, knownBrowser ?? null]))
      .digest('base64url')}`;
  const addressKey = ({ address }: Attempt): string => `sign-in:address:${addressBlock(address)}`;

  return {
    async admit(attempt) {
      const address = addressKey(attempt);
      const failures = (await counters.read(address)).count;
      if (failures >= ADDRESS.free) {
        const turn = await takeTurn(counters, address, { failures, rule: ADDRESS });
        if (turn !== undefined) return { admitted: false, by: 'address', ...turn };
      }
      const account = accountKey(attempt);
      const rule = ACCOUNT[attempt.kind];
      let { count } = await counters.read(account);
      // Counted before it is known to be wrong: a hundred guesses at once are not a hundred free ones.
      if (count < rule.free) {
        count = (await counters.increment(account, rule.windowMs)).count;
        if (count <= rule.free) return { admitted: true };
      }
      const turn = await takeTurn(counters, account, { failures: count, rule });
      if (turn !== undefined) return { admitted: false, by: 'account', ...turn };
      await counters.increment(account, rule.windowMs);
      return { admitted: true };
    },
    async failed(attempt) {
      await counters.increment(addressKey(attempt), ADDRESS.windowMs);
    },
    async succeeded(attempt) {
      await counters.clear(accountKey(attempt));
    },
  };
}

interface Rule {
  /** Tries before there is any wait. */
  readonly free: number;
  /** How long failures are remembered. */
  readonly windowMs: number;
  /** The longest wait between two tries. */
  readonly longestMs: number;
}

/** About twenty passwords an hour, five hundred a day, at one account: none of the rules' twelve characters is found so. */
const ACCOUNT: Readonly<Record<Attempt['kind'], Rule>> = {
  password: { free: 5, windowMs: 3_600_000, longestMs: 300_000 },
  // Three codes in a million are right at a time: a day has few tries.
  code: { free: 5, windowMs: 86_400_000, longestMs: 900_000 },
};
/** An office may share an address; only what fails counts here. */
const ADDRESS: Rule = { free: 30, windowMs: 900_000, longestMs: 30_000 };

/** Undefined for the first who asks since the last wait was over; else when to come again. */
async function takeTurn(
  counters: Counters,
  key: string,
  { failures, rule }: { readonly failures: number; readonly rule: Rule },
): Promise<{ readonly until: number; readonly first: boolean } | undefined> {
  const wait = Math.min(rule.longestMs, 1_000 * 2 ** Math.min(20, Math.max(0, failures - rule.free)));
  const turn = await counters.increment(`${key}:turn`, wait);
  return turn.count === 1 ? undefined : { until: turn.endsAt, first: turn.count === 2 };
}

/** A subscriber has a whole IPv6 /64 (attack 49). */
function addressBlock(address: string): string {
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return 'unknown';
  return canonical.includes(':') ? (parseCidr(`${canonical}/64`)?.text ?? 'unknown') : canonical;
}
