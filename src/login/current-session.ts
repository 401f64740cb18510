import { createHmac, timingSafeEqual } from 'node:crypto';
import { sessionCookieName } from '../identity/session-cookie.ts';
import { cookieValues } from '../identity/session-cookie-field.ts';
import { isSameOrigin } from '../policies/same-origin.ts';
import type { Session } from '../stores/stores.ts';
import type { AppRequest } from './app-request.ts';
import type { LoginSettings } from './login-settings.ts';
import type { LoginParts } from './parts.ts';

/** The cookie a browser sent, and the session behind it. */
export interface CurrentSession {
  /** Whether there is a cookie at all; with no session it is of no use and may be cleared. */
  readonly hasCookie: boolean;
  readonly session: Session | undefined;
}

export async function currentSession(
  request: AppRequest,
  login: LoginSettings,
  parts: LoginParts,
): Promise<CurrentSession> {
  const [value, ...more] = cookieValues(request.headers.all('cookie'), sessionCookieName(login.name));
  if (value === undefined) return { hasCookie: false, session: undefined };
  const ticket = more.length > 0 ? undefined : parts.cookies.openSession(value);
  if (ticket === undefined || ticket.login !== login.name) return { hasCookie: true, session: undefined };
  const found = await parts.records.sessions.find(ticket.id);
  const now = parts.clock();
  const good = found !== undefined && isOf(login, found) && now < found.expiresAt && now < found.idleUntil;
  return { hasCookie: true, session: good ? found : undefined };
}

/** A session is one of this login as it is configured now: not of another provider or client that it once had. */
export function isOf(login: LoginSettings, session: Session): boolean {
  return session.login === login.name && session.issuer === login.issuer && session.clientId === login.clientId;
}

/** For forms: a page that can read it is of this origin. It says nothing of the session's id. */
export function csrfToken(session: Session): string {
  return createHmac('sha256', session.id).update('sallyport csrf v1').digest('base64url');
}

/** Whether a page of this origin made the browser send a form: by the browser's word, or by the token in the form where a browser says nothing. */
export function isOwnForm(request: AppRequest, session: Session, form: URLSearchParams | undefined): boolean {
  if (isSameOrigin({ headers: request.headers, target: request.origin, upgrade: false })) return true;
  if (request.headers.has('origin') || request.headers.has('sec-fetch-site')) return false;
  const given = Buffer.from(form?.get('csrf') ?? '');
  const right = Buffer.from(csrfToken(session));
  return given.length === right.length && timingSafeEqual(given, right);
}
