import type { HeaderList } from '../lib/header-list.ts';

/** What decides whether a request may use a credential that a browser adds by itself: a cookie, or the certificate of the connection. */
export interface RequestOrigin {
  readonly method: string;
  readonly headers: HeaderList;
  /** Such as `https://app.example.com`: where the request was sent to. */
  readonly target: string;
  readonly upgrade: boolean;
}

/**
 * Whether a page of another origin may have made the browser send this request with a cookie (CSRF). Requests that only
 * read may come from anywhere: what they answer is hidden from other origins, and SameSite keeps the cookie out of all but
 * links. An upgrade to WebSocket begins as a GET and can do anything, and no browser applies CORS to it, so it must be of the same origin.
 */
export function mayBeForged(request: RequestOrigin): boolean {
  if (!request.upgrade && SAFE_METHODS.has(request.method)) return false;
  return !isSameOrigin(request);
}

/**
 * The same for a credential that programs have as well, such as a certificate of the connection: who says nothing of an origin
 * is a program, since browsers send Origin with everything that may change something (WHATWG Fetch, "append a request Origin
 * header") and with every handshake (RFC 6455 §4.1). No SameSite keeps a certificate out of what other sites send (attack 58).
 */
export function mayBeForgedByPage(request: RequestOrigin): boolean {
  const { headers } = request;
  return (headers.has('origin') || headers.has('sec-fetch-site')) && mayBeForged(request);
}

/**
 * Whether the browser says that a page of this very origin, or the user himself, made the request. It says so in
 * Sec-Fetch-Site, which no page can set (W3C Fetch Metadata), and in Origin. Who says neither is not believed: a program
 * without a browser has no business with a cookie.
 */
export function isSameOrigin(request: Omit<RequestOrigin, 'method'>): boolean {
  const origins = request.headers.all('origin');
  const sites = request.headers.all('sec-fetch-site');
  if (origins.length > 1 || sites.length > 1) return false;
  const [origin] = origins;
  const [site] = sites;
  // A page with `Referrer-Policy: no-referrer`, which is our own default, has its forms sent with `Origin: null`, and so does a
  // sandboxed frame. The first is told from the second by Sec-Fetch-Site, which judges the page's true origin.
  const isNamed = origin !== undefined && origin !== 'null';
  if (isNamed) return origin === request.target && (site === undefined || SAME_SITES.has(site));
  // Every browser sends Origin with a handshake (RFC 6455 §4.1).
  return !request.upgrade && site !== undefined && SAME_SITES.has(site);
}

/** RFC 9110 §9.2.1. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** `none`: the user asked for it, by the address bar or a bookmark. */
const SAME_SITES: ReadonlySet<string> = new Set(['same-origin', 'none']);
