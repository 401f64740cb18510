import type { ServerResponse } from 'node:http';
import type { Places } from './places.ts';

/**
 * `__Host-` where a cookie belongs to the whole host; `__Secure-` for those of a path, which the other APIs of the host do not
 * get to see. Either prefix keeps a page without TLS from setting them (RFC 6265bis §4.1.3).
 */
export function cookieNames({ secure }: Places) {
  const host = secure ? '__Host-' : '';
  const path = secure ? '__Secure-' : '';
  return {
    browser: `${host}sallyport_browser`,
    account: `${path}sallyport_account`,
    knownBrowser: `${path}sallyport_known_browser`,
    upstream: `${path}sallyport_upstream`,
    upstreamResult: `${path}sallyport_upstream_result`,
  } as const;
}

export interface CookieFacts {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  readonly secure: boolean;
  /** Left out, it ends with the browser; 0 takes the cookie back. */
  readonly maxAgeSeconds?: number | undefined;
}

/** Adds a cookie to the answer. Lax, since people come back to these pages by links and redirects of other sites. */
export function writeCookie(res: ServerResponse, cookie: CookieFacts): void {
  const parts = [`${cookie.name}=${cookie.value}`, `Path=${cookie.path}`, 'HttpOnly', 'SameSite=Lax'];
  if (cookie.secure) parts.push('Secure');
  if (cookie.maxAgeSeconds !== undefined) parts.push(`Max-Age=${cookie.maxAgeSeconds}`);
  res.appendHeader('set-cookie', parts.join('; '));
}

/** The first of a name counts: browsers send the one of the longer path first. */
export function readCookies(field: string | undefined): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of (field ?? '').slice(0, LONGEST).split(';')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    if (at > 0 && !cookies.has(name)) cookies.set(name, pair.slice(at + 1).trim());
  }
  return cookies;
}

const LONGEST = 32_768;
