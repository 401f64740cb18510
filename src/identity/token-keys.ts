import type { JWK } from 'jose';

/** Whether a key is of the kind an algorithm signs with (RFC 7518 §3.1, RFC 8037, RFC 9864). */
export function fits(jwk: JWK, algorithm: string): boolean {
  const kind = KINDS.get(algorithm);
  if (kind === undefined || jwk.kty !== kind.kty) return false;
  if (kind.crv !== undefined && jwk.crv !== kind.crv) return false;
  return jwk.alg === undefined || jwk.alg === algorithm || (kind.kty === 'OKP' && KINDS.get(jwk.alg)?.kty === 'OKP');
}

/** Every algorithm tokens and proofs can be signed with here: asymmetric ones, since who can check must not be able to sign. */
export const tokenAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
  'EdDSA',
  'Ed25519',
] as const;

/** The members that make a public key; whatever else a JWK holds has no say in what is imported. */
export function publicPart({ kty, crv, x, y, n, e }: JWK): JWK {
  const members = { kty, crv, x, y, n, e };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

const KINDS: ReadonlyMap<string, { readonly kty: string; readonly crv?: string }> = new Map([
  ['ES256', { kty: 'EC', crv: 'P-256' }],
  ['ES384', { kty: 'EC', crv: 'P-384' }],
  ['ES512', { kty: 'EC', crv: 'P-521' }],
  ['PS256', { kty: 'RSA' }],
  ['PS384', { kty: 'RSA' }],
  ['PS512', { kty: 'RSA' }],
  ['RS256', { kty: 'RSA' }],
  ['RS384', { kty: 'RSA' }],
  ['RS512', { kty: 'RSA' }],
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519' }],
  ['Ed25519', { kty: 'OKP', crv: 'Ed25519' }],
]);
