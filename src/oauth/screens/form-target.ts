/**
 * The source of `form-action` that lets a form's redirect reach a URL: its origin, or its scheme where it is that of an app.
 * Undefined for what no redirect may go to. The answer holds no character that ends a source or a directive.
 */
export function formTarget(uri: string): string | undefined {
  if (!URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  if (url.protocol === 'https:' || url.protocol === 'http:') {
    // CSP has no notation for IPv6 addresses: the whole scheme is the nearest that works.
    return url.hostname.startsWith('[') ? url.protocol : url.origin;
  }
  return /^[a-z][a-z0-9+.-]*:$/.test(url.protocol) && !LOCAL_SCHEMES.has(url.protocol) ? url.protocol : undefined;
}

/** Schemes that run or read in the page's own name. */
const LOCAL_SCHEMES: ReadonlySet<string> = new Set([
  'javascript:',
  'data:',
  'blob:',
  'filesystem:',
  'about:',
  'view-source:',
  'vbscript:',
  'file:',
]);
