import { hashPassword, verifyPassword } from '../../identity/password.ts';
import { passwordFaults } from '../../identity/password-rules.ts';
import type { JsonObject } from '../../lib/json.ts';
import type { AuditEvent } from '../../stores/audit.ts';
import type { Passkey, User, UserChange } from '../../stores/stores.ts';
import type { AccountSession } from './account-session.ts';
import { MOST_PASSKEYS, NEW_PASSKEY, NEW_TOTP } from './account-view.ts';
import { type Desk, userEvent } from './desk.ts';
import { knownBrowserOf } from './known-browser.ts';
import { takeCode } from './one-time-code.ts';
import { acceptPasskey } from './passkeys.ts';
import type { Visit } from './visit.ts';

export interface AccountAction {
  readonly desk: Desk;
  readonly visit: Visit;
  readonly session: AccountSession;
  readonly form: ReadonlyMap<string, string>;
}

/** What came of it: a message by its name, or what is wrong. `endedAll` says that this session has ended with all others. */
export type ActionOutcome =
  | { readonly done: keyof typeof doneMessages; readonly endedAll?: boolean }
  | { readonly problem: string; readonly status?: number };

export const doneMessages = {
  password: 'The password is changed.',
  'totp-on': 'Codes from your authenticator app are asked for from now on.',
  'totp-off': 'The authenticator app is removed.',
  'passkey-on': 'The passkey is added.',
  'passkey-off': 'The passkey is removed.',
  access: 'The app has no access any more.',
  session: 'That browser is signed out. Apps it signed in to stay signed in.',
  all: 'Every browser is signed out, and no app has access any more.',
} as const;

/** What people do to their own account, by the `action` of the form. Each rejects with StoreUnavailable. */
export const accountActions: Readonly<Record<string, (action: AccountAction) => Promise<ActionOutcome>>> = {
  'change-password': changePassword,
  'add-totp': addTotp,
  'remove-totp': removeTotp,
  'add-passkey': addPasskey,
  'remove-passkey': removePasskey,
  revoke: revokeAccess,
  'end-session': endSession,
  'end-all': endAll,
};

const GONE: ActionOutcome = { problem: 'That is not there any more.' };
const CHANGED: ActionOutcome = { problem: 'Your account was changed meanwhile, so nothing was done. Try again.' };
const TOO_LATE: ActionOutcome = { problem: 'That took too long. Try again.' };

async function changePassword(action: AccountAction): Promise<ActionOutcome> {
  const { desk, visit, session, form } = action;
  const { user } = session;
  if (desk.upstream !== undefined || user.passwordHash === undefined) return GONE;
  const attempt = {
    kind: 'password',
    address: visit.address,
    account: user.username,
    knownBrowser: await knownBrowserOf(desk, visit, user.username),
  } as const;
  if (!(await desk.throttle.admit(attempt)).admitted)
    return { problem: 'Too many tries. Wait a little and try again.', status: 429 };
  if (!(await verifyPassword(form.get('current') ?? '', user.passwordHash))) {
    await desk.throttle.failed(attempt);
    return { problem: 'The present password is wrong.' };
  }
  await desk.throttle.succeeded(attempt);
  const wanted = form.get('new') ?? '';
  const [fault] = passwordFaults(wanted, user.username);
  if (fault !== undefined) return { problem: `This cannot be the new password: ${fault}.` };
  const everywhere = form.get('everywhere') === 'yes';
  const detail = { changed: ['password'], ...(everywhere ? { tokensRevoked: true } : {}) };
  const passwordHash = await hashPassword(wanted);
  // Both hashings take their time: what was shown has to be the password still.
  const changed = await change(
    action,
    (now) => (now.passwordHash === user.passwordHash ? { passwordHash } : undefined),
    detail,
  );
  if (!changed) return CHANGED;
  if (everywhere) await endEverything(action);
  return { done: 'password', endedAll: everywhere };
}

async function addTotp(action: AccountAction): Promise<ActionOutcome> {
  const { desk, session, form } = action;
  const facts = await desk.seal.open(NEW_TOTP, form.get('secret'));
  const secret = facts?.['secret'];
  if (typeof secret !== 'string' || facts?.['userId'] !== session.user.id) return TOO_LATE;
  if (desk.upstream !== undefined || session.user.totpSecret !== undefined) return GONE;
  const right = await takeCode({ secret, code: form.get('code') ?? '', userId: session.user.id }, desk.parts.counters);
  if (!right)
    return { problem: 'The code does not belong to the new key, so nothing was changed. Set the app up again.' };
  const added = await change(action, (now) => (now.totpSecret === undefined ? { totpSecret: secret } : undefined), {
    changed: ['totp'],
  });
  return added ? { done: 'totp-on' } : CHANGED;
}

async function removeTotp(action: AccountAction): Promise<ActionOutcome> {
  if (action.session.user.totpSecret === undefined) return GONE;
  await change(action, () => ({ totpSecret: undefined }), { changed: ['totp'], removed: true });
  return { done: 'totp-off' };
}

async function addPasskey(action: AccountAction): Promise<ActionOutcome> {
  const { desk, session, form } = action;
  const { user } = session;
  const facts = await desk.seal.open(NEW_PASSKEY, form.get('challenge'));
  const challenge = facts?.['challenge'];
  if (desk.relyingParty === undefined || typeof challenge !== 'string' || facts?.['userId'] !== user.id)
    return TOO_LATE;
  if (!(await desk.parts.counters.once(`passkey:${challenge}`, 900_000))) return TOO_LATE;
  if (desk.upstream !== undefined || user.passkeys.length >= MOST_PASSKEYS)
    return { problem: `There can be ${MOST_PASSKEYS} passkeys at most.` };
  const name = (form.get('name') ?? '').normalize('NFC').replaceAll(/\p{C}/gu, '').trim().slice(0, 64) || 'Passkey';
  const passkey = await acceptPasskey({ text: form.get('answer') ?? '', challenge, name }, desk.relyingParty);
  if (passkey === undefined) return { problem: 'The device did not answer as a passkey does. Try again.' };
  if ((await desk.parts.records.users.findByPasskey(passkey.id)) !== undefined)
    return { problem: 'This passkey is in use already.' };
  const added = await change(
    action,
    ({ passkeys }) => (passkeys.length < MOST_PASSKEYS ? { passkeys: [...passkeys, passkey] } : undefined),
    { changed: ['passkeys'], passkey: name },
  );
  return added ? { done: 'passkey-on' } : CHANGED;
}

async function removePasskey(action: AccountAction): Promise<ActionOutcome> {
  const { user } = action.session;
  const isIt = ({ id }: Passkey): boolean => id === action.form.get('passkey');
  const isLastWay = ({ passwordHash, passkeys }: User): boolean => passwordHash === undefined && passkeys.every(isIt);
  if (!user.passkeys.some(isIt)) return GONE;
  if (isLastWay(user)) return { problem: 'This is the only way into your account.' };
  const removed = await change(
    action,
    (now) => (isLastWay(now) ? undefined : { passkeys: now.passkeys.filter((passkey) => !isIt(passkey)) }),
    { changed: ['passkeys'], removed: true },
  );
  return removed ? { done: 'passkey-off' } : CHANGED;
}

async function revokeAccess({ desk, session, form }: AccountAction): Promise<ActionOutcome> {
  const { id } = session.user;
  const revoked = await desk.parts.grants.revoke(id, form.get('grant') ?? '', `user:${id}`);
  return revoked ? { done: 'access' } : GONE;
}

async function endSession({ desk, visit, session, form }: AccountAction): Promise<ActionOutcome> {
  const { artifacts } = desk.parts.records;
  const found = await artifacts.findByUid('Session', form.get('session') ?? '');
  if (found?.accountId !== session.user.id) return GONE;
  await artifacts.destroy('Session', found.id);
  desk.parts.report(signedOut(visit, session.user, 'session'));
  return { done: 'session' };
}

async function endAll(action: AccountAction): Promise<ActionOutcome> {
  await change(action, () => ({}), { changed: [], tokensRevoked: true });
  await endEverything(action);
  return { done: 'all', endedAll: true };
}

/**
 * False where the account, as it is at the write, has no place for the change: what the page was made of may be old. The event goes with the
 * change and makes every process forget what it holds of the person; tokens that were there end with `tokensRevoked`.
 */
async function change(
  { desk, visit, session }: AccountAction,
  amendment: (now: User) => UserChange | undefined,
  detail: JsonObject,
): Promise<boolean> {
  const event: AuditEvent = userEvent(visit, { type: 'user.updated', userId: session.user.id, byUser: true, detail });
  const amended = (now: User): UserChange | undefined => {
    const fields = amendment(now);
    return fields === undefined ? undefined : { ...fields, updatedAt: Date.now() };
  };
  return await desk.parts.records.users.amend(session.user.id, amended, [event]);
}

/** The sessions at the gateway's logins, which would outlive all else; each grant with its own event; then what else is the person's. */
async function endEverything({ desk: { parts }, visit, session }: AccountAction): Promise<void> {
  const { id } = session.user;
  const { sessions, artifacts } = parts.records;
  const ended = userEvent(visit, {
    type: 'session.removed',
    userId: id,
    byUser: true,
    detail: { reason: 'everywhere' },
  });
  await sessions.removeBySid({ issuer: parts.issuer, subject: id }, [ended]);
  for (;;) {
    const grants = await parts.grants.listOf(id);
    const revoked = await Promise.all(grants.map((grant) => parts.grants.revoke(id, grant.id, `user:${id}`)));
    if (!revoked.includes(true)) break;
  }
  await artifacts.revokeAll({ accountId: id }, []);
}

export function signedOut(visit: Visit, user: User, what: string): AuditEvent {
  return userEvent(visit, { type: 'user.signed-out', userId: user.id, byUser: true, detail: { what } });
}
