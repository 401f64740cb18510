import { hashPassword, needsRehash, verifyPassword } from '../../identity/password.ts';
import { foldUsername } from '../../identity/user-keeper.ts';
import type { User, UserChange } from '../../stores/stores.ts';
import type { Screen } from '../interaction-contract.ts';
import { type Desk, userEvent } from './desk.ts';
import { knownBrowserOf } from './known-browser.ts';
import { takeCode } from './one-time-code.ts';
import { passkeyIdOf, provePasskey } from './passkeys.ts';
import {
  CHALLENGE,
  firstPage,
  type PendingUser,
  passwordMark,
  SECOND_FACTOR,
  SECOND_FACTOR_MS,
  secondPage,
} from './sign-in-pages.ts';
import type { SignInPlace } from './sign-in-place.ts';
import type { Attempt } from './throttle.ts';
import type { Visit } from './visit.ts';

/** What came of a step: somebody is signed in, or another page is due. */
export type StepOutcome =
  | {
      readonly user: User /** Values of `amr` (RFC 8176). */;
      readonly methods: readonly string[];
      readonly page?: undefined;
    }
  | { readonly user?: undefined; readonly page: Screen; readonly status: number; readonly retryAfterSeconds?: number };

type Form = ReadonlyMap<string, string>;

/** Takes one form of a sign-in page; undefined where its action is none of a sign-in. Rejects with StoreUnavailable. */
export async function takeSignInStep(
  desk: Desk,
  visit: Visit,
  place: SignInPlace,
  form: Form,
): Promise<StepOutcome | undefined> {
  if (desk.upstream !== undefined) return undefined;
  const action = form.get('action') ?? '';
  const step = Object.hasOwn(STEPS, action) ? STEPS[action] : undefined;
  return step === undefined ? undefined : await step({ desk, visit, place, form });
}

interface Step {
  readonly desk: Desk;
  readonly visit: Visit;
  readonly place: SignInPlace;
  readonly form: Form;
}

const STEPS: Readonly<Record<string, (step: Step) => Promise<StepOutcome>>> = {
  password: takePassword,
  passkey: takeFirstPasskey,
  code: takeSecondCode,
  'second-passkey': takeSecondPasskey,
};

const WRONG_PASSWORD = 'The username or the password is wrong.';
const WRONG_PASSKEY = 'This passkey opens no account here.';
const WRONG_CODE = 'The code is wrong or was used before. Wait for the next one.';

async function takePassword(step: Step): Promise<StepOutcome> {
  const { desk, visit, form } = step;
  const username = foldUsername(form.get('username') ?? '');
  const attempt: Attempt = {
    kind: 'password',
    address: visit.address,
    account: username,
    knownBrowser: await knownBrowserOf(desk, visit, username),
  };
  const refusal = await admit(step, attempt, undefined);
  if (refusal !== undefined) return refusal;

  // The same work whoever is asked for, and whether the account may sign in is looked at only after it (attack 47).
  const found = await desk.parts.records.users.findByUsername(username);
  const right = await verifyPassword(form.get('password') ?? '', found?.passwordHash);
  if (found === undefined || !right || found.disabled) {
    await desk.throttle.failed(attempt);
    const reason = found === undefined ? 'unknown-account' : right ? 'disabled' : 'wrong-password';
    refused(step, found?.id, reason);
    return {
      page: await firstPage(desk, visit, step.place, { problem: WRONG_PASSWORD, username: form.get('username') ?? '' }),
      status: 400,
    };
  }
  await desk.throttle.succeeded(attempt);
  const user = await hashAnew(desk, found, form.get('password') ?? '');
  if (user.totpSecret === undefined && user.passkeys.length === 0) return { user, methods: ['pwd'] };
  const pending = { user, until: Date.now() + SECOND_FACTOR_MS };
  return { page: await secondPage(desk, visit, step.place, { pending }), status: 200 };
}

async function takeFirstPasskey(step: Step): Promise<StepOutcome> {
  const { desk, visit, place, form } = step;
  const answer = form.get('answer') ?? '';
  const id = passkeyIdOf(answer);
  const owner = id === undefined ? undefined : await desk.parts.records.users.findByPasskey(id);
  const user = owner === undefined ? undefined : await provenOwner(step, owner);
  // With the person verified by the device it is two factors in one: something held, and a PIN, a finger or a face.
  if (user !== undefined) return { user, methods: ['pop', 'user', 'mfa'] };
  refused(step, owner?.id, 'wrong-passkey');
  return { page: await firstPage(desk, visit, place, { problem: WRONG_PASSKEY }), status: 400 };
}

async function takeSecondCode(step: Step): Promise<StepOutcome> {
  const { desk, visit, place, form } = step;
  const pending = await pendingUser(step);
  if (pending?.user.totpSecret === undefined) return startAgain(step);
  const { user } = pending;
  const attempt: Attempt = { kind: 'code', address: visit.address, account: user.id, knownBrowser: undefined };
  const refusal = await admit(step, attempt, pending);
  if (refusal !== undefined) return refusal;
  const code = { secret: pending.user.totpSecret, code: form.get('code') ?? '', userId: user.id };
  if (await takeCode(code, desk.parts.counters)) {
    await desk.throttle.succeeded(attempt);
    return { user, methods: ['pwd', 'otp', 'mfa'] };
  }
  await desk.throttle.failed(attempt);
  refused(step, user.id, 'wrong-code');
  return { page: await secondPage(desk, visit, place, { pending, problem: WRONG_CODE }), status: 400 };
}

async function takeSecondPasskey(step: Step): Promise<StepOutcome> {
  const { desk, visit, place } = step;
  const pending = await pendingUser(step);
  if (pending === undefined) return startAgain(step);
  const user = await provenOwner(step, pending.user);
  if (user !== undefined) return { user, methods: ['pwd', 'pop', 'user', 'mfa'] };
  refused(step, pending.user.id, 'wrong-passkey');
  return { page: await secondPage(desk, visit, place, { pending, problem: WRONG_PASSKEY }), status: 400 };
}

/** The account where its passkey answered the challenge of this page, once. */
async function provenOwner(step: Step, owner: User): Promise<User | undefined> {
  const { desk, visit, place, form } = step;
  const asked = await desk.seal.open(CHALLENGE, form.get('challenge'));
  const challenge = asked?.['challenge'];
  if (desk.relyingParty === undefined || typeof challenge !== 'string') return undefined;
  if (asked?.['scope'] !== place.scope || asked['browser'] !== visit.browser) return undefined;
  if (!(await desk.parts.counters.once(`passkey:${challenge}`, 900_000))) return undefined;
  const proof = await provePasskey({ answer: form.get('answer') ?? '', challenge, owner }, desk.relyingParty);
  if (proof === undefined || owner.disabled) return undefined;
  // Passkeys that are copied between devices do not count: then there is nothing to keep.
  if (proof.counter !== proof.passkey.counter)
    await keepCounter(desk, owner.id, { id: proof.passkey.id, counter: proof.counter });
  return owner;
}

/** Of the passkeys that are there at the write, so that none which was removed meanwhile comes back. */
async function keepCounter(
  { parts }: Desk,
  userId: string,
  use: { readonly id: string; readonly counter: number },
): Promise<void> {
  const counted = ({ passkeys }: User): UserChange => ({
    passkeys: passkeys.map((one) => (one.id === use.id ? { ...one, counter: use.counter } : one)),
  });
  await parts.records.users.amend(userId, counted, []);
}

/** Who showed the password that is still theirs on the page before, at this place and in this browser. */
async function pendingUser({ desk, visit, place, form }: Step): Promise<PendingUser | undefined> {
  const { scope, browser, userId, password, until } = (await desk.seal.open(SECOND_FACTOR, form.get('pending'))) ?? {};
  if (typeof userId !== 'string' || typeof until !== 'number') return undefined;
  if (scope !== place.scope || browser !== visit.browser) return undefined;
  const user = await desk.parts.records.users.find(userId);
  if (user === undefined || user.disabled || passwordMark(user) !== password) return undefined;
  return { user, until };
}

async function startAgain({ desk, visit, place }: Step): Promise<StepOutcome> {
  return { page: await firstPage(desk, visit, place, { problem: 'That took too long. Sign in again.' }), status: 400 };
}

/** A page that says when to come again, where too many tries failed. It is the same for accounts that do not exist. */
async function admit(step: Step, attempt: Attempt, pending: PendingUser | undefined): Promise<StepOutcome | undefined> {
  const { desk, visit, place, form } = step;
  const admission = await desk.throttle.admit(attempt);
  if (admission.admitted) return undefined;
  if (admission.first) {
    const detail = { by: admission.by, factor: attempt.kind };
    desk.parts.report(userEvent(visit, { type: 'user.throttled', userId: pending?.user.id, byUser: false, detail }));
  }
  const seconds = Math.max(1, Math.ceil((admission.until - Date.now()) / 1000));
  const problem = `Too many tries. Wait ${seconds === 1 ? 'a second' : `${seconds} seconds`} and try again.`;
  const page =
    pending === undefined
      ? await firstPage(desk, visit, place, { problem, username: form.get('username') ?? '' })
      : await secondPage(desk, visit, place, { pending, problem });
  return { page, status: 429, retryAfterSeconds: seconds };
}

/** What was typed as a username is not told: people type passwords there. */
function refused({ desk, visit, place }: Step, userId: string | undefined, reason: string): void {
  const detail = { reason, at: place.client?.id ?? 'account' };
  desk.parts.report(userEvent(visit, { type: 'user.sign-in-refused', userId, byUser: false, detail }));
}

/** Brings a hash of older parameters up to date while the password is at hand. That it failed keeps nobody out. */
async function hashAnew({ parts }: Desk, user: User, password: string): Promise<User> {
  if (user.passwordHash === undefined || !needsRehash(user.passwordHash)) return user;
  try {
    const passwordHash = await hashPassword(password);
    // Unless the password was changed meanwhile.
    const anew = (now: User): UserChange | undefined =>
      now.passwordHash === user.passwordHash ? { passwordHash } : undefined;
    await parts.records.users.amend(user.id, anew, []);
    return { ...user, passwordHash };
  } catch (error) {
    parts.fault(error);
    return user;
  }
}
