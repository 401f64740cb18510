import { clearedCookie, sessionCookieName } from '../identity/session-cookie.ts';
import type { Json } from '../lib/json.ts';
import type { Session } from '../stores/stores.ts';
import { type Answer, json } from './answer.ts';
import type { AppRequest } from './app-request.ts';
import { csrfToken, currentSession } from './current-session.ts';
import { type LoginSettings, pathOf } from './login-settings.ts';
import type { LoginParts } from './parts.ts';

/** Tells a page who is signed in. No token is in it, and no claim but those below. */
export async function tellSession(request: AppRequest, login: LoginSettings, parts: LoginParts): Promise<Answer> {
  const { hasCookie, session } = await currentSession(request, login, parts);
  const places = { login: pathOf(login, 'login'), logout: pathOf(login, 'logout') };
  if (session === undefined) {
    const cookies = hasCookie ? [clearedCookie(sessionCookieName(login.name))] : [];
    return json(200, { authenticated: false, ...places }, cookies);
  }
  return json(200, {
    authenticated: true,
    issuer: session.issuer,
    subject: session.subject,
    claims: shownClaims(session),
    scopes: session.scopes,
    expiresAt: new Date(session.expiresAt).toISOString(),
    idleUntil: new Date(session.idleUntil).toISOString(),
    csrf: csrfToken(session),
    ...places,
  });
}

function shownClaims(session: Session): Readonly<Record<string, Json>> {
  return Object.fromEntries(
    HARMLESS_CLAIMS.flatMap((name) => {
      const value = Object.hasOwn(session.claims, name) ? session.claims[name] : undefined;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** What a page needs to greet somebody. */
const HARMLESS_CLAIMS = ['name', 'given_name', 'family_name', 'preferred_username', 'email', 'picture', 'locale'];
