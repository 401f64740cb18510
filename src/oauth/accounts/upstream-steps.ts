import type { User } from '../../stores/stores.ts';
import { messageScreen } from '../screens/failure.ts';
import { cookieNames, writeCookie } from './cookies.ts';
import { type Desk, userEvent } from './desk.ts';
import type { SignInWish, UpstreamProvider } from './upstream-provider.ts';
import { userOfPerson } from './upstream-user.ts';
import { redirectTo, showScreen, type Visit } from './visit.ts';

const CHECKS = 'upstream checks';
const RESULT = 'upstream result';
const CHECKS_SECONDS = 900;
const RESULT_SECONDS = 120;

/** Sends the browser to the provider. `returnPath` is the path below which the answer is taken up again; `scope` names its place. */
export async function goUpstream(
  desk: Desk,
  visit: Visit,
  to: {
    readonly provider: UpstreamProvider;
    readonly scope: string;
    readonly returnPath: string;
    readonly carried: string;
    readonly wish: SignInWish;
  },
): Promise<void> {
  const { places, seal } = desk;
  const { url, checks } = await to.provider.begin(places.origin + places.callback, to.wish);
  const facts = {
    ...checks,
    notBefore: checks.notBefore ?? null,
    scope: to.scope,
    returnPath: to.returnPath,
    carried: to.carried,
    browser: visit.browser,
  };
  const value = await seal.seal(CHECKS, facts, CHECKS_SECONDS * 1000);
  writeCookie(visit.res, { ...checksCookie(desk), value, maxAgeSeconds: CHECKS_SECONDS });
  redirectTo(visit, url);
}

/** Takes the provider's answer, which comes to one path for all, and hands it to the place it was asked from. */
export async function takeCallback(desk: Desk, visit: Visit, provider: UpstreamProvider): Promise<void> {
  const { places, parts, seal } = desk;
  const facts = await seal.open(CHECKS, visit.cookies.get(checksCookie(desk).name));
  writeCookie(visit.res, { ...checksCookie(desk), value: '', maxAgeSeconds: 0 });
  const { state, nonce, verifier, notBefore, scope, returnPath, carried, browser } = facts ?? {};
  if (
    typeof state !== 'string' ||
    typeof nonce !== 'string' ||
    typeof verifier !== 'string' ||
    typeof scope !== 'string'
  )
    return startAgain(desk, visit);
  if (typeof returnPath !== 'string' || typeof carried !== 'string' || browser !== visit.browser)
    return startAgain(desk, visit);
  if (!(await parts.counters.once(`upstream:${state}`, CHECKS_SECONDS * 1000))) return startAgain(desk, visit);

  let user: User | undefined;
  let authenticatedAt: number | undefined;
  try {
    const callback = new URL(`${places.origin}${places.callback}?${visit.query}`);
    const checks = { state, nonce, verifier, notBefore: typeof notBefore === 'number' ? notBefore : undefined };
    const person = await provider.finish(callback, checks);
    ({ authenticatedAt } = person);
    user = await userOfPerson(person, {
      users: parts.records.users,
      createUsers: provider.createUsers,
      event: (made) =>
        userEvent(visit, {
          type: 'user.created',
          userId: made.id,
          byUser: true,
          detail: { by: 'upstream', issuer: person.issuer },
        }),
    });
  } catch (error) {
    // Whatever went wrong there is for the log; the person can only try again.
    parts.fault(error);
    parts.report(
      userEvent(visit, {
        type: 'user.sign-in-refused',
        userId: undefined,
        byUser: false,
        detail: { reason: 'upstream-failed', at: 'upstream' },
      }),
    );
    return showScreen(
      visit,
      messageScreen(desk.look, {
        title: 'You are not signed in',
        text: `Signing in with ${provider.title} did not work. Go back to the app and try again.`,
      }),
      { status: 400 },
    );
  }
  if (user === undefined || user.disabled) {
    const reason = user === undefined ? 'unknown-account' : 'disabled';
    parts.report(
      userEvent(visit, {
        type: 'user.sign-in-refused',
        userId: user?.id,
        byUser: false,
        detail: { reason, at: 'upstream' },
      }),
    );
    return showScreen(
      visit,
      messageScreen(desk.look, { title: 'You have no account here', text: 'Ask an administrator to let you in.' }),
      { status: 403 },
    );
  }
  const value = await seal.seal(
    RESULT,
    { scope, browser: visit.browser, userId: user.id, state, authenticatedAt: authenticatedAt ?? null },
    RESULT_SECONDS * 1000,
  );
  writeCookie(visit.res, { ...resultCookie(desk, returnPath), value, maxAgeSeconds: RESULT_SECONDS });
  redirectTo(visit, `${returnPath}/return${carried === '' ? '' : `?${carried}`}`);
}

export interface ReturnedUser {
  readonly user: User;
  /** Seconds since the epoch, where the provider told it. */
  readonly authenticatedAt: number | undefined;
}

/** The person the provider vouched for, at the place they set out from; once. */
export async function takeReturn(
  desk: Desk,
  visit: Visit,
  at: { readonly scope: string; readonly returnPath: string },
): Promise<ReturnedUser | undefined> {
  const cookie = resultCookie(desk, at.returnPath);
  const facts = await desk.seal.open(RESULT, visit.cookies.get(cookie.name));
  writeCookie(visit.res, { ...cookie, value: '', maxAgeSeconds: 0 });
  const { scope, browser, userId, state, authenticatedAt } = facts ?? {};
  if (scope !== at.scope || browser !== visit.browser || typeof userId !== 'string' || typeof state !== 'string')
    return undefined;
  if (!(await desk.parts.counters.once(`upstream-result:${state}`, RESULT_SECONDS * 2_000))) return undefined;
  const user = await desk.parts.records.users.find(userId);
  if (user === undefined || user.disabled) return undefined;
  return { user, authenticatedAt: typeof authenticatedAt === 'number' ? authenticatedAt : undefined };
}

function checksCookie({ places }: Desk) {
  return { name: cookieNames(places).upstream, path: places.callback, secure: places.secure } as const;
}

function resultCookie({ places }: Desk, path: string) {
  return { name: cookieNames(places).upstreamResult, path, secure: places.secure } as const;
}

function startAgain(desk: Desk, visit: Visit): void {
  showScreen(
    visit,
    messageScreen(desk.look, {
      title: 'Start again',
      text: 'This sign-in has expired, or was begun in another browser or tab. Go back to the app and sign in again.',
    }),
    { status: 400 },
  );
}
