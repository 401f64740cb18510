import type { Principal } from '../../exchange.ts';
import { claimAt } from '../claim-path.ts';

/** What a header field says of a caller; undefined where there is nothing to say. */
export function factOf(principal: Principal, source: string): string | undefined {
  const own = FACTS.get(source);
  return fieldValue(own === undefined ? claimAt(principal.claims, source) : own(principal));
}

/** The claims of an identity JWT. `sub` is unique over all issuers and methods; what the signer sets itself is not copied from the caller. */
export function identityClaims(principal: Principal, copied: readonly string[]): Readonly<Record<string, unknown>> {
  const claims: Record<string, unknown> = {};
  for (const name of copied) {
    if (!RESERVED.has(name) && Object.hasOwn(principal.claims, name)) claims[name] = principal.claims[name];
  }
  return {
    ...claims,
    sub: principal.id,
    principal: {
      kind: principal.kind,
      method: principal.method,
      subject: principal.subject,
      ...(principal.issuer === undefined ? {} : { issuer: principal.issuer }),
      ...(principal.consumer === undefined ? {} : { consumer: principal.consumer }),
      ...(principal.credentialId === undefined ? {} : { credential: principal.credentialId }),
    },
    ...(principal.clientId === undefined ? {} : { client_id: principal.clientId }),
    ...(principal.scopes.length === 0 ? {} : { scope: principal.scopes.join(' ') }),
  };
}

const FACTS: ReadonlyMap<string, (principal: Principal) => unknown> = new Map([
  ['id', ({ id }) => id],
  ['subject', ({ subject }) => subject],
  ['issuer', ({ issuer }) => issuer],
  ['client', ({ clientId }) => clientId],
  ['consumer', ({ consumer }) => consumer],
  ['kind', ({ kind }) => kind],
  ['method', ({ method }) => method],
  ['credential', ({ credentialId }) => credentialId],
  ['scope', ({ scopes }) => (scopes.length === 0 ? undefined : scopes.join(' '))],
] satisfies [string, (principal: Principal) => unknown][]);

const RESERVED: ReadonlySet<string> = new Set([
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'scope',
  'client_id',
  'principal',
  'cnf',
]);

/**
 * A field holds printable ASCII: other characters are percent-encoded, so that none can end the field and no two values become
 * one (attack 23). Blanks are, at the ends of a value, where fields lose them, and in an item of a list, whose items they part.
 */
function fieldValue(value: unknown): string | undefined {
  const texts = (Array.isArray(value) ? value : [value]).filter((one): one is string | number | boolean =>
    ['string', 'number', 'boolean'].includes(typeof one),
  );
  const blanks = Array.isArray(value) ? / /g : /^ +| +$/g;
  const text = texts
    .map((one) =>
      String(one)
        .replaceAll(/[^\x20-\x24\x26-\x7e]/gu, encodeCharacter)
        .replaceAll(blanks, encodeBlanks),
    )
    .join(' ');
  return /^(%20| )*$/.test(text) || text.length > LONGEST ? undefined : text;
}

function encodeBlanks(blanks: string): string {
  return '%20'.repeat(blanks.length);
}

function encodeCharacter(character: string): string {
  return [...Buffer.from(character)].map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

const LONGEST = 4_096;
