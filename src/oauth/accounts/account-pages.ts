import { localPath } from '../../lib/local-path.ts';
import type { User } from '../../stores/stores.ts';
import { messageScreen } from '../screens/failure.ts';
import { accountActions, doneMessages, signedOut } from './account-actions.ts';
import { type AccountSession, beginAccountSession, endAccountSession, findAccountSession } from './account-session.ts';
import { accountScope, accountView } from './account-view.ts';
import { type Desk, userEvent } from './desk.ts';
import { rememberBrowser } from './known-browser.ts';
import { refuseForm } from './refuse-form.ts';
import { firstPage } from './sign-in-pages.ts';
import type { SignInPlace } from './sign-in-place.ts';
import { takeSignInStep } from './sign-in-steps.ts';
import type { SignInWish } from './upstream-provider.ts';
import { goUpstream, takeCallback, takeReturn } from './upstream-steps.ts';
import { redirectTo, showScreen, type Visit } from './visit.ts';

/** Answers at `/account` and below; `rest` is what follows, without a slash in front. False where there is nothing. */
export async function answerAccount(desk: Desk, visit: Visit, rest: string): Promise<boolean> {
  const { upstream } = desk;
  if (rest === '') await answerPage(desk, visit);
  else if (upstream === undefined || visit.req.method !== 'GET') return false;
  else if (rest === 'callback') await takeCallback(desk, visit, upstream);
  else if (rest === 'upstream') {
    const back = localPath(visit.query.get('return_to'));
    const carried = back === undefined ? '' : new URLSearchParams({ return_to: back }).toString();
    const to = { provider: upstream, scope: SIGN_IN, returnPath: desk.places.account, carried, wish: NO_WISH };
    await goUpstream(desk, visit, to);
  } else if (rest === 'return') {
    const returned = await takeReturn(desk, visit, { scope: SIGN_IN, returnPath: desk.places.account });
    if (returned === undefined) redirectTo(visit, desk.places.account);
    else
      await enter(desk, visit, {
        user: returned.user,
        methods: ['upstream'],
        back: localPath(visit.query.get('return_to')),
      });
  } else return false;
  return true;
}

const SIGN_IN = 'account';
/** Nobody has asked for anything here. */
const NO_WISH: SignInWish = { anew: false, maxAge: undefined, loginHint: undefined };

async function answerPage(desk: Desk, visit: Visit): Promise<void> {
  const session = await findAccountSession(desk, visit);
  if (visit.req.method === 'GET') return await show(desk, visit, session);
  const scope = session === undefined ? SIGN_IN : accountScope(session);
  const read = await desk.guard.read(visit, scope);
  if (read.form === undefined) return refuseForm(desk, visit, read.refused);
  if (session === undefined) return await signIn(desk, visit, read.form);
  // A form can be held back for long at its last bytes: what it may do is for the account to say as it is now.
  const present = await findAccountSession(desk, visit);
  if (present === undefined || accountScope(present) !== scope) return refuseForm(desk, visit, 'forged');
  await act(desk, visit, { session: present, form: read.form });
}

async function show(desk: Desk, visit: Visit, session: AccountSession | undefined): Promise<void> {
  const back = localPath(visit.query.get('return_to'));
  if (session === undefined) return showScreen(visit, await firstPage(desk, visit, placeOf(desk, back)));
  const done = visit.query.get('done') ?? '';
  showScreen(
    visit,
    await accountView(desk, visit, { session, back, done: isDone(done) ? doneMessages[done] : undefined }),
  );
}

function isDone(name: string): name is keyof typeof doneMessages {
  return Object.hasOwn(doneMessages, name);
}

async function signIn(desk: Desk, visit: Visit, form: ReadonlyMap<string, string>): Promise<void> {
  const back = localPath(form.get('return_to'));
  const outcome = await takeSignInStep(desk, visit, placeOf(desk, back), form);
  if (outcome === undefined) return refuseForm(desk, visit, 'malformed');
  if (outcome.user === undefined) return showScreen(visit, outcome.page, outcome);
  await enter(desk, visit, { ...outcome, back });
}

async function enter(
  desk: Desk,
  visit: Visit,
  signedIn: { readonly user: User; readonly methods: readonly string[]; readonly back: string | undefined },
): Promise<void> {
  const { user, methods, back } = signedIn;
  await beginAccountSession(desk, visit, user);
  await rememberBrowser(desk, visit, user);
  const detail = { methods, at: 'account' };
  desk.parts.report(userEvent(visit, { type: 'user.signed-in', userId: user.id, byUser: true, detail }));
  redirectTo(visit, pagePath(desk, { back }));
}

async function act(
  desk: Desk,
  visit: Visit,
  at: { readonly session: AccountSession; readonly form: ReadonlyMap<string, string> },
): Promise<void> {
  const { session, form } = at;
  const name = form.get('action') ?? '';
  if (name === 'sign-out') return await signOut(desk, visit, session);
  const action = Object.hasOwn(accountActions, name) ? accountActions[name] : undefined;
  if (action === undefined) return refuseForm(desk, visit, 'malformed');
  const outcome = await action({ desk, visit, session, form });
  const back = localPath(form.get('return_to'));
  if ('problem' in outcome) {
    const screen = await accountView(desk, visit, { session, back, problem: outcome.problem });
    return showScreen(visit, screen, { status: outcome.status ?? 400 });
  }
  // Who has just shown who they are stays at this page, under a new id.
  if (outcome.endedAll === true) await beginAccountSession(desk, visit, session.user);
  redirectTo(visit, pagePath(desk, { back, done: outcome.done }));
}

async function signOut(desk: Desk, visit: Visit, session: AccountSession): Promise<void> {
  await endAccountSession(desk, visit);
  desk.parts.report(signedOut(visit, session.user, 'account'));
  const link = { href: desk.places.account, label: 'Sign in again' };
  const text = 'You have left your account page. Apps you signed in to stay signed in.';
  showScreen(visit, messageScreen(desk.look, { title: 'You are signed out', text, link }));
}

function placeOf(desk: Desk, back: string | undefined): SignInPlace {
  return {
    scope: SIGN_IN,
    path: desk.places.account,
    client: undefined,
    formTargets: [],
    username: '',
    carried: back === undefined ? {} : { return_to: back },
  };
}

function pagePath(desk: Desk, facts: { readonly back: string | undefined; readonly done?: string }): string {
  const query = new URLSearchParams();
  if (facts.done !== undefined) query.set('done', facts.done);
  if (facts.back !== undefined) query.set('return_to', facts.back);
  return query.size === 0 ? desk.places.account : `${desk.places.account}?${query}`;
}
