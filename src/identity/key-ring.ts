import type { KeyObject } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import { fits } from './token-keys.ts';
import { verifyingKey } from './token-signature.ts';

/** The keys of one set, each made ready when it is first needed. */
export interface KeyRing {
  /** The keys a token may be proved by, none where the set has no fitting one. With a key id that of this id alone. */
  fitting(keyId: string | undefined, algorithm: string): readonly KeyObject[];
}

/**
 * Which key proves which algorithm is decided by the kind of the key, never by the token: an RSA key is no secret of HS256, and
 * a key without `alg` is not one for every algorithm (RFC 8725 §3.1, attack 35). Secrets in a set are passed over.
 */
export function keyRing(set: JSONWebKeySet): KeyRing {
  const usable = set.keys.filter(isForSignatures);
  const ready = new Map<JWK, KeyObject | undefined>();

  function readyKey(jwk: JWK): KeyObject | undefined {
    if (!ready.has(jwk)) ready.set(jwk, verifyingKey(jwk));
    return ready.get(jwk);
  }

  return {
    fitting(keyId, algorithm) {
      return usable
        .filter((jwk) => (keyId === undefined || jwk.kid === keyId) && fits(jwk, algorithm))
        .slice(0, MOST_TRIED)
        .map(readyKey)
        .filter((key) => key !== undefined);
    },
  };
}

function isForSignatures(jwk: JWK): boolean {
  return (jwk.use === undefined || jwk.use === 'sig') && (jwk.key_ops === undefined || jwk.key_ops.includes('verify'));
}

/** A token without a key id is held against so many keys at most: each costs a signature check. */
const MOST_TRIED = 4;
