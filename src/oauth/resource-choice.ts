import type { Resource } from './interaction-contract.ts';

/**
 * The API a request is meant for that names none (RFC 8707 §2.1 leaves it to the server): the one that knows the scopes it asks
 * for, or the only one there is. Undefined where that does not single one out; the token is then for the userinfo endpoint alone.
 */
export function impliedResource(resources: readonly Resource[], scopes: ReadonlySet<string>): Resource | undefined {
  const asked = resources.filter((resource) => resource.scopes.some((scope) => scopes.has(scope)));
  if (asked.length > 0) return asked.length === 1 ? asked[0] : undefined;
  const [only, ...others] = resources;
  return others.length === 0 && scopes.size === 0 ? only : undefined;
}

/** True where several APIs know the scopes of a request that names none of them: it has to say which it means. */
export function isAmbiguous(resources: readonly Resource[], scopes: ReadonlySet<string>): boolean {
  return resources.filter((resource) => resource.scopes.some((scope) => scopes.has(scope))).length > 1;
}
