import { isLoopback } from '../lib/network-address.ts';

/** Schemes that run or read something in the browser instead of leading to a client (attack 43). */
const FORBIDDEN_SCHEMES: ReadonlySet<string> = new Set([
  'javascript:',
  'vbscript:',
  'data:',
  'blob:',
  'file:',
  'about:',
  'filesystem:',
  'view-source:',
  'ws:',
  'wss:',
  'ftp:',
]);

/**
 * Says what is wrong with a redirect URI, as the end of a sentence that begins with it; undefined where it may be registered.
 * It is compared as it is written (RFC 9700 §4.1.3), so nothing in it may mean something else to a browser than to that comparison:
 * no wildcard, no path segment that is taken back, no fragment, no user. Plain http is for loopback addresses (RFC 8252 §7.3), and
 * other schemes are those an application claims, in reversed domain form (RFC 8252 §7.1).
 */
export function redirectUriFault(uri: string): string | undefined {
  if (uri.length > 2048) return 'is longer than 2048 characters';
  if (/[\s\\]/.test(uri) || hasControl(uri)) return 'contains a space, a backslash or a control character';
  if (uri.includes('*')) return 'contains a wildcard: list every URI whole';
  if (uri.includes('#')) return 'contains a fragment';
  const url = URL.parse(uri);
  if (url === null) return 'is not an absolute URI';
  if (FORBIDDEN_SCHEMES.has(url.protocol)) return `uses the scheme ${url.protocol}`;
  if (hasDotSegment(uri)) return 'contains a path segment `.` or `..`: write the path it leads to';
  if (url.protocol === 'https:' || url.protocol === 'http:') return webUriFault(uri, url);
  return url.protocol.includes('.')
    ? undefined
    : `uses the scheme ${url.protocol}: one of your own holds a dot, such as com.example.app:`;
}

/** True for what only an application on the person's device can answer: it may not keep a secret, and its loopback port varies. */
export function isNativeRedirectUri(uri: string): boolean {
  const url = URL.parse(uri);
  if (url === null) return false;
  if (url.protocol === 'https:') return false;
  return url.protocol !== 'http:' || isLoopback(url.hostname.replace(/^\[|\]$/g, ''));
}

function webUriFault(uri: string, url: URL): string | undefined {
  if (!/^https?:\/\/[^/]/i.test(uri)) return 'has no host';
  if (url.username !== '' || url.password !== '' || authorityOf(uri).includes('@')) return 'contains a user name';
  if (url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) {
    return 'uses http: use https, or a loopback address for an application on the own machine';
  }
  return undefined;
}

function authorityOf(uri: string): string {
  return /^[^:]+:\/\/([^/?]*)/.exec(uri)?.[1] ?? '';
}

/** Encoded dots count: a server behind the URI, or a browser, resolves them. */
function hasDotSegment(uri: string): boolean {
  const path = uri.replace(/^[^:]+:(\/\/[^/?]*)?/, '').replace(/\?.*$/s, '');
  return path
    .replace(/%2e/gi, '.')
    .split(/\/|%2f|%5c/i)
    .some((segment) => segment === '.' || segment === '..');
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x21 || code > 0x7e) return true;
  }
  return false;
}
