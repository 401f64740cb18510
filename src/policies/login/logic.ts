import type { Principal } from '../../exchange.ts';
import type { LiveSession } from '../../identity/services.ts';
import type { HeaderList } from '../../lib/header-list.ts';
import type { LoginFacts } from '../policy.ts';

/** Whether a browser shows the answer to this request as a page: only then does it make sense to send it to a sign-in page. */
export function isNavigation(request: {
  readonly method: string;
  readonly headers: HeaderList;
  readonly upgrade: boolean;
}): boolean {
  if (request.method !== 'GET' || request.upgrade) return false;
  const mode = request.headers.get('sec-fetch-mode');
  if (mode !== undefined) return mode === 'navigate' && isDocument(request.headers.get('sec-fetch-dest'));
  // Browsers without fetch metadata; scripts ask for any type, or for JSON.
  if (request.headers.has('x-requested-with')) return false;
  return request.headers.get('accept')?.startsWith('text/html') === true;
}

/** Sign-in pages refuse to be framed, so there is no use in sending a frame to one. */
function isDocument(destination: string | undefined): boolean {
  return destination === undefined || destination === 'document';
}

/** Where a browser is sent to sign in, and from there back to the page it asked for. */
export function signInLocation(
  login: Pick<LoginFacts, 'path'>,
  target: { readonly path: string; readonly query: string | undefined },
): string {
  const page = target.query === undefined ? target.path : `${target.path}?${target.query}`;
  const base = `${login.path}/login`;
  return page.length > LONGEST_PAGE ? base : `${base}?return_to=${encodeURIComponent(page)}`;
}

/** What becomes of the access token before a request is passed on. */
export type TokenState = 'usable' | 'due' | 'expired';

/** A token is refreshed a little before its time, since the request needs a moment to arrive. Milliseconds. */
export function tokenState(session: LiveSession, now: number): TokenState {
  const { tokenExpiresAt } = session;
  if (tokenExpiresAt === undefined) return 'usable';
  if (now >= tokenExpiresAt) return 'expired';
  return now >= tokenExpiresAt - REFRESH_BEFORE_MS && session.refreshable ? 'due' : 'usable';
}

export function principalOf(session: LiveSession, login: LoginFacts, credentialId: string): Principal {
  return {
    id: `${session.issuer}|${session.subject}`,
    kind: 'user',
    method: 'login',
    issuer: session.issuer,
    subject: session.subject,
    clientId: login.clientId,
    consumer: undefined,
    credentialId,
    scopes: session.scopes,
    claims: { ...session.claims, iss: session.issuer, sub: session.subject },
  };
}

/** Whether a token can stand in a header field as it is: tokens come from the provider, and CR or LF would begin another field (attack 23). */
export function isFieldSafe(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token);
}

/** A page with a longer address is not found again after signing in: it must fit into a cookie on the way. */
const LONGEST_PAGE = 1_024;
const REFRESH_BEFORE_MS = 20_000;
