import { hash } from 'node:crypto';
import type { JsonObject } from '../../lib/json.ts';
import type { User } from '../../stores/stores.ts';
import type { PreparedForm, Screen } from '../interaction-contract.ts';
import { secondFactorScreen } from '../screens/second-factor.ts';
import { signInScreen, upstreamSignInScreen } from '../screens/sign-in.ts';
import type { Desk } from './desk.ts';
import { askForPasskey, CHALLENGE_MS } from './passkeys.ts';
import { cancelOf, placeForm, type SignInPlace } from './sign-in-place.ts';
import type { Visit } from './visit.ts';

/** The first page: name and password or a passkey, or the way to the upstream provider. */
export async function firstPage(
  desk: Desk,
  visit: Visit,
  place: SignInPlace,
  told: { readonly problem?: string; readonly username?: string } = {},
): Promise<Screen> {
  const shared = {
    cancel: cancelOf(desk, visit, place),
    client: place.client,
    problem: told.problem,
    formTargets: place.formTargets,
  };
  if (desk.upstream !== undefined) {
    const carried = new URLSearchParams(place.carried).toString();
    const href = `${place.path}/upstream${carried === '' ? '' : `?${carried}`}`;
    return upstreamSignInScreen(desk.look, { ...shared, providerTitle: desk.upstream.title, href });
  }
  return signInScreen(desk.look, {
    ...shared,
    password: placeForm(desk, visit, place, { action: 'password' }),
    passkey: await passkeyPart(desk, visit, place, { action: 'passkey' }),
    username: (told.username ?? place.username).slice(0, 128),
  });
}

/** Who has shown the right password, on the way to the second page and back. */
export const SECOND_FACTOR = 'second factor';
/** How long after the password, in milliseconds. */
export const SECOND_FACTOR_MS = 600_000;

export interface PendingUser {
  readonly user: User;
  /** Milliseconds since the epoch; however many codes are tried, it does not move. */
  readonly until: number;
}

/** Stands for the password that was right: what is sealed ends with it. */
export function passwordMark({ passwordHash }: User): string {
  return hash('sha256', passwordHash ?? '', 'base64url');
}

/** The second page. That the password was right is sealed into its forms. */
export async function secondPage(
  desk: Desk,
  visit: Visit,
  place: SignInPlace,
  told: { readonly pending: PendingUser; readonly problem?: string },
): Promise<Screen> {
  const { user, until } = told.pending;
  const password = passwordMark(user);
  const facts: JsonObject = { scope: place.scope, browser: visit.browser, userId: user.id, password, until };
  const pending = await desk.seal.seal(SECOND_FACTOR, facts, until - Date.now());
  return secondFactorScreen(desk.look, {
    totp: user.totpSecret === undefined ? undefined : placeForm(desk, visit, place, { action: 'code', pending }),
    passkey:
      user.passkeys.length === 0
        ? undefined
        : await passkeyPart(desk, visit, place, { action: 'second-passkey', pending }, user),
    cancel: cancelOf(desk, visit, place),
    problem: told.problem,
    formTargets: place.formTargets,
  });
}

export const CHALLENGE = 'passkey challenge';

async function passkeyPart(
  desk: Desk,
  visit: Visit,
  place: SignInPlace,
  fields: Readonly<Record<string, string>>,
  owner?: User,
): Promise<{ readonly form: PreparedForm; readonly options: string } | undefined> {
  if (desk.relyingParty === undefined) return undefined;
  const { options, challenge } = await askForPasskey(desk.relyingParty, owner);
  const facts = { scope: place.scope, browser: visit.browser, challenge };
  const sealed = await desk.seal.seal(CHALLENGE, facts, CHALLENGE_MS);
  return { form: placeForm(desk, visit, place, { ...fields, challenge: sealed }), options };
}
