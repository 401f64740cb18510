import { createHash } from 'node:crypto';
import type { Principal } from '../exchange.ts';

/**
 * A caller as `AuditEvent.actor` names it, the same wherever it is met: `key:<id>`, `user:<issuer>|<sub>`, `client:<issuer>|<sub>`,
 * `certificate:<subject>`. It can stand in a field of a request, and two callers are never one: what a field could not hold is
 * percent-encoded, `%` too, and of a long name the end is a digest of the whole.
 */
export function actorNameOf({ method, kind, id, credentialId }: Principal): string {
  const name = method === 'apiKey' ? `key:${credentialId}` : id.startsWith(`${kind}:`) ? id : `${kind}:${id}`;
  const plain = name.replaceAll(NOT_PLAIN, encoded);
  if (plain.length <= LONGEST) return plain;
  const digest = createHash('sha256').update(plain).digest('base64url');
  // No encoded name has a % before a ~, so no caller can choose a name that ends like this.
  return `${plain.slice(0, LONGEST - digest.length - 2)}%~${digest}`;
}

/** Blanks inside a name may stay; those at its end would not reach who reads the field. */
const NOT_PLAIN = /%|[^\x20-\x7e]| $/gu;

/** As `encodeURIComponent`, which throws for half of a surrogate pair: a claim may hold one. */
function encoded(character: string): string {
  if (character.isWellFormed()) return character === ' ' ? '%20' : encodeURIComponent(character);
  return `%u${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

const LONGEST = 512;
