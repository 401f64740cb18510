import type { Principal } from '../../exchange.ts';
import { claimAt } from '../claim-path.ts';
import type { AuthorizeConfig } from './config.ts';

/** What a caller lacks: scopes it could ask for, or a rule it does not meet. */
export type Verdict =
  | { readonly lacks: 'scopes'; readonly needed: readonly string[] }
  | { readonly lacks: 'rule'; readonly rule: string };

/** Judges a caller; undefined: every rule holds. What is missing or has an odd shape meets no rule. */
export function judge(principal: Principal, method: string, rules: AuthorizeConfig): Verdict | undefined {
  if (rules.kinds !== undefined && !rules.kinds.includes(principal.kind)) return broken('kinds');
  if (rules.methods !== undefined && !rules.methods.includes(principal.method)) return broken('methods');
  if (rules.clients !== undefined && !isListed(principal.clientId, rules.clients)) return broken('clients');
  if (rules.consumers !== undefined && !isListed(principal.consumer, rules.consumers)) return broken('consumers');
  for (const [path, accepted] of Object.entries(rules.claims ?? {}))
    if (!hasOneOf(claimAt(principal.claims, path), accepted)) return broken(`claims.${path}`);
  if (rules.scopes === undefined) return undefined;
  const needed = neededScopes(rules.scopes, method);
  if (needed === undefined) return broken(`scopes.${method}`);
  return needed.every((scope) => principal.scopes.includes(scope)) ? undefined : { lacks: 'scopes', needed };
}

/** HEAD tells what GET would, so it takes what GET takes. Undefined: the method is not foreseen. */
function neededScopes(scopes: NonNullable<AuthorizeConfig['scopes']>, method: string): readonly string[] | undefined {
  if (Array.isArray(scopes)) return scopes;
  const byMethod = scopes as Readonly<Record<string, readonly string[]>>; // the other half of the union
  const own = Object.hasOwn(byMethod, method) ? byMethod[method] : undefined;
  if (own !== undefined) return own;
  if (method === 'HEAD' && Object.hasOwn(byMethod, 'GET')) return byMethod['GET'];
  return byMethod['*'];
}

function isListed(name: string | undefined, list: readonly string[]): boolean {
  return name !== undefined && list.includes(name);
}

function hasOneOf(value: unknown, accepted: readonly (string | number | boolean)[]): boolean {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.some((one) => accepted.some((wanted) => wanted === one));
}

function broken(rule: string): Verdict {
  return { lacks: 'rule', rule };
}
