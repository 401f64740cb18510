import type { HeadPlan } from './request-head.ts';

/** How a path was mapped on its way to the upstream. */
export interface PathMapping {
  /** The path as the client sent it. */
  readonly clientPath: string;
  readonly rewrite: HeadPlan['rewrite'];
  /** `http://host:port` of the target that answered. */
  readonly origin: string;
}

/**
 * A Location as the client must see it (RFC 9110 §10.2.2): the target's own origin is taken off, since no client can reach it, and a
 * rewritten path prefix is put back. Other origins, relative references and paths outside the rewritten prefix are left as they are.
 */
export function publicLocation(location: string, { clientPath, rewrite, origin }: PathMapping): string {
  const local = location.startsWith(origin) && /^(?:[/?#]|$)/.test(location.slice(origin.length));
  const path = local ? location.slice(origin.length) || '/' : location;
  if (rewrite === undefined || !path.startsWith('/') || path.startsWith('//')) return path;
  const { length, prefix } = rewrite;
  if (prefix !== '' && !(path.startsWith(prefix) && /^(?:[/?#]|$)/.test(path.slice(prefix.length)))) return path;
  return clientPath.slice(0, length) + path.slice(prefix.length);
}
