import { importJWK, type JWK, SignJWT } from 'jose';
import { StoreUnavailable } from '../stores/stores.ts';
import type { IdentitySigner } from './services.ts';

/** The signer of a worker; the control plane broadcasts the key it signs with. */
export interface KeyedIdentitySigner extends IdentitySigner {
  /** From now on signs with this key. The JWK is private and has `kid` and `alg`; rejects where it has not. `issuer` is the `iss` upstreams see. */
  use(jwk: JWK, issuer: string): Promise<void>;
}

/** Makes the short-lived JWTs that tell upstreams who calls. The key is replaced between two signatures, never inside one. */
export function createIdentitySigner(): KeyedIdentitySigner {
  let current: SigningState | undefined;

  return {
    async use(jwk, issuer) {
      const { kid, alg } = jwk;
      if (kid === undefined || alg === undefined) throw new TypeError('a signing key needs a kid and an alg');
      current = { key: await importJWK(jwk, alg), kid, alg, issuer };
    },
    async sign(claims, { audience, ttlSeconds }) {
      if (current === undefined) throw new StoreUnavailable('no key to sign identities with has arrived yet');
      const { key, kid, alg, issuer } = current;
      const now = Math.floor(Date.now() / 1_000);
      return new SignJWT(claims)
        .setProtectedHeader({ alg, kid, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(now)
        .setExpirationTime(now + ttlSeconds)
        .setJti(crypto.randomUUID())
        .sign(key);
    },
  };
}

interface SigningState {
  readonly key: Awaited<ReturnType<typeof importJWK>>;
  readonly kid: string;
  readonly alg: string;
  readonly issuer: string;
}
