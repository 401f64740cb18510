import { importJWK, type JWK, SignJWT } from 'jose';
import { StoreUnavailable } from '../stores/stores.ts';
import type { IdentitySigner } from './services.ts';

/** The signer of a worker; the control plane broadcasts the key it signs with. */
export interface KeyedIdentitySigner extends IdentitySigner {
  /** From now on signs with this key; throws where the JWK has no `kid` or `alg`. `issuer` is the `iss` upstreams see. */
  use(jwk: JWK, issuer: string): void;
}

/** Makes the short-lived JWTs that tell upstreams who calls. The key is replaced between two signatures, never inside one. */
export function createIdentitySigner(): KeyedIdentitySigner {
  let current: SigningState | undefined;

  return {
    use(jwk, issuer) {
      const { kid, alg } = jwk;
      if (kid === undefined || alg === undefined) throw new TypeError('a signing key needs a kid and an alg');
      const key = importJWK(jwk, alg);
      key.catch(() => undefined); // whoever signs is told
      current = { key, kid, alg, issuer };
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
        .sign(await key);
    },
  };
}

interface SigningState {
  readonly key: ReturnType<typeof importJWK>;
  readonly kid: string;
  readonly alg: string;
  readonly issuer: string;
}
