import { randomBytes } from 'node:crypto';
import type { User } from '../../stores/stores.ts';
import { cookieNames, writeCookie } from './cookies.ts';
import type { Desk } from './desk.ts';
import type { Visit } from './visit.ts';

/** Somebody at the account page. It has a session of its own, short and apart from that of the protocol: who changes a password has just shown who they are. */
export interface AccountSession {
  readonly id: string;
  readonly user: User;
}

const MODEL = 'AccountSession';
const LIFETIME_MS = 30 * 60_000;

/** Undefined too where the account is gone, disabled, or was signed out everywhere. */
export async function findAccountSession(desk: Desk, visit: Visit): Promise<AccountSession | undefined> {
  const id = visit.cookies.get(cookieNames(desk.places).account);
  if (id === undefined || !/^[\w-]{43}$/.test(id)) return undefined;
  const { artifacts, users } = desk.parts.records;
  const stored = await artifacts.find(MODEL, id);
  if (stored?.accountId === undefined) return undefined;
  const user = await users.find(stored.accountId);
  return user === undefined || user.disabled ? undefined : { id, user };
}

/** Always under a new id, so that one which was planted before opens nothing (session fixation). */
export async function beginAccountSession(desk: Desk, visit: Visit, user: User): Promise<void> {
  await endAccountSession(desk, visit);
  const id = randomBytes(32).toString('base64url');
  await desk.parts.records.artifacts.upsert({
    model: MODEL,
    id,
    payload: {},
    expiresAt: Date.now() + LIFETIME_MS,
    grantId: undefined,
    userCode: undefined,
    uid: undefined,
    accountId: user.id,
    clientId: undefined,
  });
  writeCookie(visit.res, { ...cookieOf(desk), value: id, maxAgeSeconds: LIFETIME_MS / 1000 });
}

export async function endAccountSession(desk: Desk, visit: Visit): Promise<void> {
  const id = visit.cookies.get(cookieNames(desk.places).account);
  if (id === undefined) return;
  await desk.parts.records.artifacts.destroy(MODEL, id);
  writeCookie(visit.res, { ...cookieOf(desk), value: '', maxAgeSeconds: 0 });
}

function cookieOf({ places }: Desk) {
  return { name: cookieNames(places).account, path: places.account, secure: places.secure } as const;
}
