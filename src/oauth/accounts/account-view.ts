import type { Passkey, User } from '../../stores/stores.ts';
import type { PreparedForm, Screen } from '../interaction-contract.ts';
import {
  type AccountFacts,
  type AppFacts,
  accountScreen,
  type FactorFacts,
  type SessionFacts,
} from '../screens/account.ts';
import type { AccountSession } from './account-session.ts';
import type { Desk } from './desk.ts';
import { TOKEN_FIELD } from './form-guard.ts';
import { newTotpSecret, totpUri } from './one-time-code.ts';
import { askForNewPasskey, CHALLENGE_MS } from './passkeys.ts';
import { rightsOf } from './rights.ts';
import type { Visit } from './visit.ts';

export const NEW_PASSKEY = 'new passkey';
export const NEW_TOTP = 'new authenticator app';
const NEW_TOTP_MS = 1_800_000;
export const MOST_PASSKEYS = 10;

/** What forms of this session are bound to; not the id of the session itself, which stays in its cookie. */
export function accountScope({ user }: AccountSession): string {
  return `account ${user.id}`;
}

export async function accountView(
  desk: Desk,
  visit: Visit,
  facts: {
    readonly session: AccountSession;
    readonly done?: string | undefined;
    readonly problem?: string | undefined;
    readonly back?: string | undefined;
  },
): Promise<Screen> {
  const { session, back } = facts;
  const { user } = session;
  const formOf: FormOf = (action, fields = {}) => ({
    action: desk.places.account,
    fields: {
      [TOKEN_FIELD]: desk.guard.token(visit.browser, accountScope(session)),
      action,
      ...(back === undefined ? {} : { return_to: back }),
      ...fields,
    },
  });
  const view: AccountFacts = {
    username: user.username,
    done: facts.done,
    problem: facts.problem,
    back,
    signOut: formOf('sign-out'),
    password: desk.upstream !== undefined || user.passwordHash === undefined ? undefined : formOf('change-password'),
    factors: desk.upstream === undefined ? await factorsOf(desk, user, formOf) : undefined,
    apps: await appsOf(desk, user, formOf),
    sessions: await sessionsOf(desk, user, formOf),
    endAll: formOf('end-all'),
  };
  return accountScreen(desk.look, view);
}

type FormOf = (action: string, fields?: Readonly<Record<string, string>>) => PreparedForm;

async function factorsOf(desk: Desk, user: User, formOf: FormOf): Promise<FactorFacts> {
  return {
    totp:
      user.totpSecret === undefined ? await newTotp(desk, user, formOf) : { on: true, remove: formOf('remove-totp') },
    passkeys: user.passkeys.map((passkey: Passkey) => ({
      name: passkey.name,
      since: dayOf(passkey.createdAt),
      remove: formOf('remove-passkey', { passkey: passkey.id }),
    })),
    add: await newPasskey(desk, user, formOf),
  };
}

/** The secret is stored when a code has shown that the app has it; until then it travels sealed in the form. */
async function newTotp({ look, seal }: Desk, user: User, formOf: FormOf): Promise<FactorFacts['totp']> {
  const secret = newTotpSecret();
  const sealed = await seal.seal(NEW_TOTP, { userId: user.id, secret }, NEW_TOTP_MS);
  const uri = totpUri({ secret, title: look.title, username: user.username });
  return { on: false, secret, uri, confirm: formOf('add-totp', { secret: sealed }) };
}

async function newPasskey({ relyingParty, look, seal }: Desk, user: User, formOf: FormOf): Promise<FactorFacts['add']> {
  if (relyingParty === undefined || user.passkeys.length >= MOST_PASSKEYS) return undefined;
  const { options, challenge } = await askForNewPasskey(relyingParty, user, look.title);
  const sealed = await seal.seal(NEW_PASSKEY, { userId: user.id, challenge }, CHALLENGE_MS);
  return { form: formOf('add-passkey', { challenge: sealed }), options };
}

async function appsOf({ parts }: Desk, user: User, formOf: FormOf): Promise<readonly AppFacts[]> {
  const grants = await parts.grants.listOf(user.id);
  return await Promise.all(
    grants.map(async (grant) => {
      const client = await parts.provider.Client.find(grant.clientId).catch(() => undefined);
      return {
        name: client === undefined ? grant.clientId : parts.describeClient(client.metadata()).name,
        rights: rightsOf(parts, grant).map((right) => right.text),
        revoke: formOf('revoke', { grant: grant.id }),
      };
    }),
  );
}

async function sessionsOf({ parts }: Desk, user: User, formOf: FormOf): Promise<readonly SessionFacts[]> {
  const { items } = await parts.records.artifacts.list({ model: 'Session', accountId: user.id }, { limit: 50 });
  return items.flatMap(({ uid, payload }) => {
    if (uid === undefined) return [];
    const { loginTs, authorizations } = payload;
    const since = typeof loginTs === 'number' ? `on ${MINUTE.format(loginTs * 1000)} UTC` : 'at some time';
    const apps = typeof authorizations === 'object' && authorizations !== null ? Object.keys(authorizations).length : 0;
    return [{ since, apps, end: formOf('end-session', { session: uid }) }];
  });
}

function dayOf(at: number): string {
  return DAY.format(at);
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
const MINUTE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
