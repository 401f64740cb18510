import type { User } from '../../stores/stores.ts';
import { cookieNames, writeCookie } from './cookies.ts';
import type { Desk } from './desk.ts';
import type { Visit } from './visit.ts';

const PURPOSE = 'known browser';
const SECONDS = 180 * 86_400;

/**
 * Remembers that this account has signed in from this browser. Such a browser has tries of its own, so that whoever guesses at
 * an account from elsewhere does not use up those of its owner. The cookie opens nothing by itself.
 */
export async function rememberBrowser(desk: Desk, visit: Visit, user: User): Promise<void> {
  const value = await desk.seal.seal(PURPOSE, { username: user.username, browser: visit.browser }, SECONDS * 1000);
  const { mount, secure } = desk.places;
  writeCookie(visit.res, {
    name: cookieNames(desk.places).knownBrowser,
    value,
    path: mount === '' ? '/' : mount,
    secure,
    maxAgeSeconds: SECONDS,
  });
}

/** The id under which tries at this account are counted for this browser alone; undefined where it is not known. */
export async function knownBrowserOf(desk: Desk, visit: Visit, username: string): Promise<string | undefined> {
  const facts = await desk.seal.open(PURPOSE, visit.cookies.get(cookieNames(desk.places).knownBrowser));
  const browser = facts?.['browser'];
  return typeof browser === 'string' && facts?.['username'] === username ? browser : undefined;
}
