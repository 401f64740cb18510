import { authorizationCodeGrant, ClientError, type Configuration, fetchUserInfo, type IDToken } from 'openid-client';
import { COOKIE_ATTRIBUTES, newSessionId, sessionCookieName, sessionName } from '../identity/session-cookie.ts';
import { cookieValues } from '../identity/session-cookie-field.ts';
import type { JsonObject } from '../lib/json.ts';
import type { Session } from '../stores/stores.ts';
import { type Answer, deny, redirect } from './answer.ts';
import type { AppRequest } from './app-request.ts';
import { scopesOf } from './begin-sign-in.ts';
import { type LoginSettings, pathOf } from './login-settings.ts';
import type { LoginParts } from './parts.ts';
import type { Provider } from './provider.ts';
import { noteFailure, providerFailure } from './provider-failure.ts';
import { TRANSACTION_MS, type Transaction } from './transaction.ts';

/**
 * The provider has sent the browser back. Its answer counts once, and only in the browser that was sent away. The session gets
 * an id nobody has seen before, whatever cookie came along, so none can be planted (session fixation).
 */
export async function finishSignIn(request: AppRequest, provider: Provider, parts: LoginParts): Promise<Answer> {
  const login = provider.settings;
  const again = { kind: 'link', label: 'Sign in again', href: pathOf(login, 'login') } as const;
  const states = new URLSearchParams(request.search).getAll('state');
  const [state] = states;
  const transaction =
    states.length === 1 && state !== undefined
      ? parts.transactions.find(request.headers, login.name, state)
      : undefined;
  if (transaction === undefined)
    return deny(request, 'bad-request', {
      detail: 'This sign-in was begun in another browser, too long ago, or is finished already.',
      action: again,
    });

  const cookies = [parts.transactions.drop(login.name, transaction.state)];
  // The cookie is cleared below, but a copy of it is not: a state counts once.
  if (!(await parts.counters.once(`login-state:${transaction.state}`, TRANSACTION_MS)))
    return deny(request, 'bad-request', { detail: 'This sign-in is finished already.', action: again, cookies });
  try {
    const session = await exchangeCode(request, transaction, { provider, parts });
    await replaceSession(request, session, parts);
    const value = parts.cookies.sealSession({ login: login.name, id: session.id });
    return redirect(transaction.returnTo, [
      `${sessionCookieName(login.name)}=${value}; ${COOKIE_ATTRIBUTES}`,
      ...cookies,
    ]);
  } catch (error) {
    const failure = providerFailure(error);
    if (failure === undefined) throw error;
    await noteFailure(parts, login, { error, message: 'a sign-in failed at the provider' });
    return deny(request, failure.code, { detail: failure.detail, action: again, cookies });
  }
}

async function exchangeCode(
  request: AppRequest,
  transaction: Transaction,
  { provider, parts }: { readonly provider: Provider; readonly parts: LoginParts },
): Promise<Session> {
  const login = provider.settings;
  const configuration = await provider.configuration();
  const tokens = await authorizationCodeGrant(
    configuration,
    // The redirect_uri that was asked for, with what the provider added: the cookie binds it to this host.
    new URL(`${request.origin}${pathOf(login, 'callback')}${request.search}`),
    {
      expectedState: transaction.state,
      expectedNonce: transaction.nonce,
      pkceCodeVerifier: transaction.verifier,
      idTokenExpected: true,
    },
    login.resource === undefined ? {} : { resource: login.resource },
  );
  const idClaims = tokens.claims();
  if (idClaims === undefined) throw new ClientError('the provider sent no ID token');
  const claims = claimsOf(idClaims, await moreClaims(configuration, { login, token: tokens.access_token, idClaims }));
  const now = parts.clock();
  return {
    id: newSessionId(),
    login: login.name,
    issuer: login.issuer,
    clientId: login.clientId,
    subject: idClaims.sub,
    sid: typeof idClaims['sid'] === 'string' ? idClaims['sid'] : undefined,
    claims,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    idToken: tokens.id_token,
    scopes: tokens.scope === undefined ? scopesOf(login) : tokens.scope.split(' ').filter((scope) => scope !== ''),
    tokenExpiresAt: tokens.expires_in === undefined ? undefined : now + tokens.expires_in * 1_000,
    expiresAt: now + login.lifetime,
    idleUntil: Math.min(now + login.idle, now + login.lifetime),
    createdAt: now,
    version: 1,
  };
}

/** Providers may keep claims out of the ID token and tell them here. A token for another resource does not open that door. */
async function moreClaims(
  configuration: Configuration,
  facts: { readonly login: LoginSettings; readonly token: string; readonly idClaims: IDToken },
): Promise<Readonly<Record<string, unknown>>> {
  const { login, token, idClaims } = facts;
  const offered = configuration.serverMetadata().userinfo_endpoint !== undefined;
  if (!offered || login.resource !== undefined || scopesOf(login).length === 1) return {};
  return fetchUserInfo(configuration, token, idClaims.sub);
}

/** What is said of the person; what belongs to the ID token as a message is left out. */
function claimsOf(idClaims: IDToken, more: Readonly<Record<string, unknown>>): JsonObject {
  const said = Object.entries({ ...more, ...idClaims }).filter(([name]) => !MESSAGE_CLAIMS.has(name));
  // It came as JSON, from JSON it is made again: nothing else can be in it, `__proto__` as an own key included.
  const text = JSON.stringify(Object.fromEntries(said));
  if (text.length > MOST_CLAIMS) throw new ClientError('the claims of the provider are too long to keep');
  return JSON.parse(text) as JsonObject; // an object, as it was
}

/** A session the browser had before ends: it was somebody else's, or is replaced. */
async function replaceSession(request: AppRequest, session: Session, parts: LoginParts): Promise<void> {
  const origin = { address: request.address, requestId: request.id };
  const actor = `user:${session.subject}`;
  const detail = { login: session.login, issuer: session.issuer };
  for (const value of cookieValues(request.headers.all('cookie'), sessionCookieName(session.login)).slice(0, 2)) {
    const old = parts.cookies.openSession(value);
    if (old === undefined || old.login !== session.login) continue;
    const subject = `session:${sessionName(old.id)}`;
    await parts.records.sessions.remove(old.id, [
      { type: 'session.removed', actor, subject, ...origin, detail: { ...detail, reason: 'replaced' } },
    ]);
  }
  const subject = `session:${sessionName(session.id)}`;
  await parts.records.sessions.create(session, [{ type: 'session.created', actor, subject, ...origin, detail }]);
}

const MESSAGE_CLAIMS: ReadonlySet<string> = new Set([
  'iss',
  'sub',
  'aud',
  'exp',
  'iat',
  'nbf',
  'jti',
  'nonce',
  'at_hash',
  'c_hash',
  's_hash',
  'sid',
  'azp',
]);

/** A worker holds thousands of sessions. */
const MOST_CLAIMS = 16 * 1024;
