import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { JWK } from 'jose';
import { publicPart } from './token-keys.ts';

/** The key of a JWK for checking signatures; undefined for one that is none, or too weak to prove anything (RFC 7518 §3.3). */
export function verifyingKey(jwk: JWK): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: { ...publicPart(jwk) }, format: 'jwk' });
    const bits = key.asymmetricKeyDetails?.modulusLength;
    return bits !== undefined && bits < WEAKEST_RSA ? undefined : key;
  } catch {
    return undefined;
  }
}

/**
 * Whether a JWS in compact form is signed by this key under this algorithm (RFC 7515 §5.2), which the caller has found to fit
 * the key. It is done here by OpenSSL on the spot and not by jose: WebCrypto, which jose uses, takes a detour over a thread pool
 * that costs several times the check itself (bench: first use of a token).
 */
export function isSignedBy(compact: string, key: KeyObject, algorithm: string): boolean {
  const scheme = SCHEMES.get(algorithm);
  const dot = compact.lastIndexOf('.');
  if (scheme === undefined || scheme.kind !== key.asymmetricKeyType || dot < 0) return false;
  const signature = Buffer.from(compact.slice(dot + 1), 'base64url');
  try {
    return verify(scheme.hash, Buffer.from(compact.slice(0, dot), 'latin1'), { key, ...scheme.options }, signature);
  } catch {
    return false;
  }
}

interface Scheme {
  /** The kind of key, as Node names it. */
  readonly kind: string;
  /** Null where the algorithm has its own. */
  readonly hash: string | null;
  readonly options: Readonly<Record<string, string | number>>;
}

/** RSA_PKCS1_PSS_PADDING, and a salt as long as the hash (RFC 7518 §3.5). */
const PSS = { padding: 6, saltLength: -1 };
/** The two numbers side by side, not DER (RFC 7518 §3.4). */
const SIDE_BY_SIDE = { dsaEncoding: 'ieee-p1363' };

const SCHEMES: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ['RS256', { kind: 'rsa', hash: 'sha256', options: {} }],
  ['RS384', { kind: 'rsa', hash: 'sha384', options: {} }],
  ['RS512', { kind: 'rsa', hash: 'sha512', options: {} }],
  ['PS256', { kind: 'rsa', hash: 'sha256', options: PSS }],
  ['PS384', { kind: 'rsa', hash: 'sha384', options: PSS }],
  ['PS512', { kind: 'rsa', hash: 'sha512', options: PSS }],
  ['ES256', { kind: 'ec', hash: 'sha256', options: SIDE_BY_SIDE }],
  ['ES384', { kind: 'ec', hash: 'sha384', options: SIDE_BY_SIDE }],
  ['ES512', { kind: 'ec', hash: 'sha512', options: SIDE_BY_SIDE }],
  ['EdDSA', { kind: 'ed25519', hash: null, options: {} }],
  ['Ed25519', { kind: 'ed25519', hash: null, options: {} }],
]);

/** Bits. */
const WEAKEST_RSA = 2048;
