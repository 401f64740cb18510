import { buildEndSessionUrl, type Configuration, tokenRevocation } from 'openid-client';
import { clearedCookie, sessionCookieName, sessionName } from '../identity/session-cookie.ts';
import type { Session } from '../stores/stores.ts';
import { type Answer, deny, page, redirect } from './answer.ts';
import type { AppRequest } from './app-request.ts';
import { csrfToken, currentSession, isOwnForm } from './current-session.ts';
import { type LoginSettings, pathOf } from './login-settings.ts';
import type { LoginParts } from './parts.ts';
import type { Provider } from './provider.ts';

/** A page with a button, for pages that have none of their own: a link alone must not sign anybody out. */
export async function askSignOut(request: AppRequest, login: LoginSettings, parts: LoginParts): Promise<Answer> {
  const { session } = await currentSession(request, login, parts);
  if (session === undefined) {
    const action = { kind: 'link', label: 'Sign in', href: pathOf(login, 'login') } as const;
    return page(200, { title: 'You are signed out', text: '', action });
  }
  const fields = { csrf: csrfToken(session) };
  const action = { kind: 'form', label: 'Sign out', href: pathOf(login, 'logout'), fields } as const;
  return page(200, { title: 'Sign out?', text: 'This ends your session here and at the sign-in page.', action });
}

/**
 * Ends the session here, then sends the browser to end it at the provider (OpenID Connect RP-Initiated Logout 1.0), where there
 * is such a place. The session is over even if the provider is down.
 */
export async function signOut(request: AppRequest, provider: Provider, parts: LoginParts): Promise<Answer> {
  const login = provider.settings;
  const form = await request.readForm();
  const { hasCookie, session } = await currentSession(request, login, parts);
  const afterwards = login.afterLogout;
  const cookies = [clearedCookie(sessionCookieName(login.name))];
  // SameSite keeps the cookie out of a form of another site, but not the answer from clearing it: where none came, none is touched.
  if (session === undefined) return redirect(afterwards, hasCookie ? cookies : []);
  if (!isOwnForm(request, session, form))
    return deny(request, 'cross-site-request', {
      detail: 'Another site cannot sign you out.',
      action: { kind: 'link', label: 'Sign out', href: pathOf(login, 'logout') },
    });

  await parts.records.sessions.remove(session.id, [
    {
      type: 'session.removed',
      actor: `user:${session.subject}`,
      subject: `session:${sessionName(session.id)}`,
      address: request.address,
      requestId: request.id,
      detail: { login: login.name, issuer: login.issuer, reason: 'signed-out' },
    },
  ]);
  const configuration = await provider.configuration().catch((error: unknown) => {
    parts.log.warn({ login: login.name, err: error }, 'the provider could not be told of a sign-out');
    return undefined;
  });
  if (configuration === undefined) return redirect(afterwards, cookies);
  await revoke(configuration, session, { login, parts });
  if (configuration.serverMetadata().end_session_endpoint === undefined) return redirect(afterwards, cookies);
  const parameters = new URLSearchParams({ post_logout_redirect_uri: `${request.origin}${afterwards}` });
  // It says who signs out, and opens nothing; the specification has it travel through the browser.
  if (session.idToken !== undefined) parameters.set('id_token_hint', session.idToken);
  return redirect(buildEndSessionUrl(configuration, parameters).href, cookies);
}

/** Tokens nobody needs any more (RFC 7009). Where the provider does not take them back, they run out by themselves. */
async function revoke(
  configuration: Configuration,
  session: Session,
  { login, parts }: { readonly login: LoginSettings; readonly parts: LoginParts },
): Promise<void> {
  const token = session.refreshToken ?? session.accessToken;
  if (token === undefined || configuration.serverMetadata().revocation_endpoint === undefined) return;
  const hint = session.refreshToken === undefined ? 'access_token' : 'refresh_token';
  await tokenRevocation(configuration, token, { token_type_hint: hint }).catch((error: unknown) => {
    parts.log.warn({ login: login.name, err: error }, 'the provider did not take back the tokens of a session');
  });
}
