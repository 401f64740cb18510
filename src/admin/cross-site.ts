import type { IncomingHttpHeaders } from 'node:http';

/**
 * True for a request a web page of another place had a browser send (attack 58). A browser adds client certificates by itself,
 * so a page elsewhere could act as the administrator. Browsers say where a request comes from in Sec-Fetch-Site; one so old
 * that it does not, but sends an Origin, is not trusted. Programs send neither.
 */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return headers.origin !== undefined;
}
