import { importJWK, type JSONWebKeySet, type JWK } from 'jose';

/** A public key that may prove tokens of one algorithm. */
export type ImportedKey = Awaited<ReturnType<typeof importJWK>>;

/** The keys of one set, each imported when it is first needed. */
export interface KeyRing {
  /** The keys a token may be proved by, none where the set has no fitting one. With a key id that of this id alone. */
  fitting(keyId: string | undefined, algorithm: string): readonly Promise<ImportedKey>[];
}

/**
 * Which key proves which algorithm is decided by the kind of the key, never by the token: an RSA key is no secret of HS256, and
 * a key without `alg` is not one for every algorithm (RFC 8725 §3.1, attack 35). Secrets in a set are passed over.
 */
export function keyRing(set: JSONWebKeySet): KeyRing {
  const usable = set.keys.filter(isForSignatures);
  const imported = new Map<JWK, Map<string, Promise<ImportedKey>>>();

  function importedKey(jwk: JWK, algorithm: string): Promise<ImportedKey> {
    const ofKey = imported.get(jwk) ?? new Map<string, Promise<ImportedKey>>();
    imported.set(jwk, ofKey);
    const known = ofKey.get(algorithm);
    if (known !== undefined) return known;
    const fresh = importJWK(publicPart(jwk), algorithm);
    fresh.catch(() => undefined); // who awaits it is told; the set may hold keys nobody asks for
    ofKey.set(algorithm, fresh);
    return fresh;
  }

  return {
    fitting(keyId, algorithm) {
      return usable
        .filter((jwk) => (keyId === undefined || jwk.kid === keyId) && fits(jwk, algorithm))
        .slice(0, MOST_TRIED)
        .map((jwk) => importedKey(jwk, algorithm));
    },
  };
}

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

export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

/** The members that make a public key; whatever else a JWK holds has no say in what is imported. */
export function publicPart({ kty, crv, x, y, n, e }: JWK): JWK {
  const members = { kty, crv, x, y, n, e };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function isForSignatures(jwk: JWK): boolean {
  return (jwk.use === undefined || jwk.use === 'sig') && (jwk.key_ops === undefined || jwk.key_ops.includes('verify'));
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

/** A token without a key id is held against so many keys at most: each costs a signature check. */
const MOST_TRIED = 4;
