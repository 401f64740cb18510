import { hkdfSync } from 'node:crypto';
import { EncryptJWT, jwtDecrypt } from 'jose';
import type { JsonObject } from '../../lib/json.ts';

/** Facts that travel through the browser, which can neither read nor change them. */
export interface Seal {
  /** Only `open` with the same purpose reads it, and only for `ttlMs`. */
  seal(purpose: string, facts: JsonObject, ttlMs: number): Promise<string>;
  /** Undefined for what was not sealed here, for another purpose, or has expired. */
  open(purpose: string, sealed: string | undefined): Promise<JsonObject | undefined>;
}

/** `secret` has at least 32 bytes, the same in every process. */
export function createSeal(secret: Uint8Array, issuer: string): Seal {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', 'sallyport sign-in', 32));
  return {
    seal(purpose, facts, ttlMs) {
      return new EncryptJWT({ facts })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setIssuer(issuer)
        .setAudience(purpose)
        .setExpirationTime(new Date(Date.now() + ttlMs))
        .encrypt(key);
    },
    async open(purpose, sealed) {
      if (sealed === undefined || sealed.length > LONGEST) return undefined;
      try {
        const { payload } = await jwtDecrypt<{ facts: JsonObject }>(sealed, key, {
          issuer,
          audience: purpose,
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        });
        return payload.facts;
      } catch {
        return undefined;
      }
    },
  };
}

const LONGEST = 4_096;
