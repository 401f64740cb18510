import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  COOKIE_ATTRIBUTES,
  clearedCookie,
  type SessionCookies,
  sessionCookieName,
} from '../identity/session-cookie.ts';
import { cookieNames, cookieValues } from '../identity/session-cookie-field.ts';
import type { HeaderList } from '../lib/header-list.ts';

/** What the gateway remembers of a sign-in while the browser is at the provider. */
export interface Transaction {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly returnTo: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/**
 * Transactions live in the browser that began them, sealed, each in a cookie of its own: tabs do not disturb each other,
 * the callback counts only in the very browser that was sent away (login CSRF), and a flood of beginnings costs no memory here.
 */
export interface Transactions {
  /** Set-Cookie values that keep the new one, and drop what is old or too much. */
  keep(headers: HeaderList, login: string, transaction: Transaction): readonly string[];
  /** The one this state belongs to; undefined where this browser has none, or had it too long. */
  find(headers: HeaderList, login: string, state: string): Transaction | undefined;
  /** The Set-Cookie value that ends it. */
  drop(login: string, state: string): string;
}

export function createTransactions(cookies: SessionCookies, clock: () => number): Transactions {
  function open(headers: HeaderList, name: string): Transaction | undefined {
    const [value, ...more] = cookieValues(headers.all('cookie'), name);
    if (value === undefined || more.length > 0) return undefined;
    const text = cookies.open(purposeOf(name), value);
    const parsed = text === undefined ? undefined : transactionSchema.safeParse(JSON.parse(text));
    return parsed?.success && clock() - parsed.data.startedAt < TRANSACTION_MS ? parsed.data : undefined;
  }

  return {
    keep(headers, login, transaction) {
      const name = cookieNameOf(login, transaction.state);
      const value = cookies.seal(purposeOf(name), JSON.stringify(transaction));
      const present = cookieNames(headers.all('cookie'), prefixOf(login)).map((other) => ({
        name: other,
        startedAt: open(headers, other)?.startedAt ?? Number.NEGATIVE_INFINITY,
      }));
      const surplus = present
        .sort((a, b) => b.startedAt - a.startedAt)
        .filter(({ startedAt }, at) => at >= MOST_TRANSACTIONS - 1 || startedAt === Number.NEGATIVE_INFINITY);
      return [
        `${name}=${value}; ${COOKIE_ATTRIBUTES}; Max-Age=${TRANSACTION_MS / 1_000}`,
        ...surplus.slice(0, MOST_DROPPED).map((old) => clearedCookie(old.name)),
      ];
    },
    find(headers, login, state) {
      const found = open(headers, cookieNameOf(login, state));
      // The name is a part of the hash of the state, so this compares nothing an attacker could learn bit by bit.
      return found?.state === state ? found : undefined;
    },
    drop: (login, state) => clearedCookie(cookieNameOf(login, state)),
  };
}

/** How long a person may take to sign in at the provider. */
export const TRANSACTION_MS = 10 * 60_000;

const transactionSchema = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  startedAt: z.number(),
});

/** No login has a dot in its name. */
function prefixOf(login: string): string {
  return `${sessionCookieName(login)}.`;
}

function cookieNameOf(login: string, state: string): string {
  return `${prefixOf(login)}${createHash('sha256').update(state).digest('hex').slice(0, 16)}`;
}

/** The name says the login, so a transaction of one login never opens at another. */
function purposeOf(cookieName: string): string {
  return `transaction\0${cookieName}`;
}

/** Each may take two kilobytes, and all of them travel with every request. */
const MOST_TRANSACTIONS = 4;
const MOST_DROPPED = 20;
