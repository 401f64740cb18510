import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { namesPlace, type RequestPlace } from './dpop-target.ts';
import type { ReplayGuard } from './services.ts';
import { fits, publicPart } from './token-keys.ts';
import { isSignedBy, verifyingKey } from './token-signature.ts';
import { isJsonObject, jsonObject, mediaType } from './token-syntax.ts';

/** Why a proof does not count. Fixed words: they stand in logs and in audit records. */
export type ProofFault =
  | 'no-proof'
  | 'several-proofs'
  | 'malformed-proof'
  | 'proof-algorithm-not-allowed'
  | 'proof-of-another-key'
  | 'proof-of-another-request'
  | 'proof-of-another-token'
  | 'proof-out-of-time'
  | 'bad-proof-signature'
  | 'proof-replayed';

/** What a proof must be a proof of. */
export interface ProvenRequest extends RequestPlace {
  readonly method: string;
  readonly accessToken: string;
  /** The thumbprint the token is bound to. */
  readonly jkt: string;
}

export interface ProofRules {
  readonly algorithms: ReadonlySet<string>;
  /** Seconds a proof counts after its `iat`. */
  readonly lifetime: number;
  /** Seconds the client's clock may be ahead. */
  readonly clockLeeway: number;
}

/**
 * Checks a DPoP proof in the order of cost (RFC 9449 §4.3): what is written, whose key it is, the signature, and last whether it
 * was seen before, over all workers and nodes. Undefined: it is good. Rejects with StoreUnavailable where a replay cannot be ruled
 * out. `now` in seconds.
 */
export async function refuseProof(
  fields: readonly string[],
  request: ProvenRequest,
  rules: ProofRules,
  replay: ReplayGuard,
  now: number,
): Promise<ProofFault | undefined> {
  const [text] = fields;
  if (text === undefined) return 'no-proof';
  if (fields.length > 1) return 'several-proofs';
  const proof = readProof(text);
  if (proof === undefined) return 'malformed-proof';
  if (!rules.algorithms.has(proof.algorithm) || !fits(proof.jwk, proof.algorithm)) return 'proof-algorithm-not-allowed';
  const fault = refuseClaims(proof, request, rules, now);
  if (fault !== undefined) return fault;
  if ((await thumbprint(proof.jwk)) !== request.jkt) return 'proof-of-another-key';
  if (!isSigned(proof)) return 'bad-proof-signature';
  // Kept as long as the proof itself would pass: afterwards its `iat` refuses it.
  const remaining = proof.issuedAt + rules.lifetime - now + 1;
  const first = await replay.once(`dpop:${request.jkt}:${sha256(proof.id)}`, Math.ceil(remaining * 1_000));
  return first ? undefined : 'proof-replayed';
}

interface Proof {
  readonly text: string;
  readonly algorithm: string;
  readonly jwk: JWK;
  readonly id: string;
  readonly method: string;
  readonly uri: string;
  readonly issuedAt: number;
  readonly tokenHash: string;
}

function readProof(text: string): Proof | undefined {
  const parts = text.length <= LONGEST_PROOF ? JWS.exec(text) : null;
  const header = parts === null ? undefined : jsonObject(parts[1] ?? '');
  const claims = parts === null ? undefined : jsonObject(parts[2] ?? '');
  if (header === undefined || claims === undefined) return undefined;
  const { typ, alg, jwk, crit, b64 } = header;
  const { jti, htm, htu, iat, ath } = claims;
  if (typeof typ !== 'string' || mediaType(typ) !== 'dpop+jwt' || crit !== undefined || b64 !== undefined)
    return undefined;
  if (typeof alg !== 'string' || !isPublicJwk(jwk)) return undefined;
  if (typeof jti !== 'string' || jti === '' || jti.length > LONGEST_ID) return undefined;
  if (typeof htm !== 'string' || typeof htu !== 'string' || typeof ath !== 'string') return undefined;
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return undefined;
  return { text, algorithm: alg, jwk, id: jti, method: htm, uri: htu, issuedAt: iat, tokenHash: ath };
}

/** A proof that shows its private key proves nothing any more (RFC 9449 §4.3, step 7); a symmetric one never did. */
function isPublicJwk(value: unknown): value is JWK {
  return isJsonObject(value) && typeof value['kty'] === 'string' && !PRIVATE.some((name) => Object.hasOwn(value, name));
}

const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;

function refuseClaims(proof: Proof, request: ProvenRequest, rules: ProofRules, now: number): ProofFault | undefined {
  if (proof.method !== request.method || !namesPlace(proof.uri, request)) return 'proof-of-another-request';
  if (proof.tokenHash !== sha256(request.accessToken)) return 'proof-of-another-token';
  if (proof.issuedAt > now + rules.clockLeeway || proof.issuedAt + rules.lifetime < now) return 'proof-out-of-time';
  return undefined;
}

async function thumbprint(jwk: JWK): Promise<string | undefined> {
  return calculateJwkThumbprint(publicPart(jwk), 'sha256').catch(() => undefined);
}

function isSigned({ text, jwk, algorithm }: Proof): boolean {
  const key = verifyingKey(jwk);
  return key !== undefined && isSignedBy(text, key, algorithm);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

const LONGEST_PROOF = 8_192;
const LONGEST_ID = 256;
const JWS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$/;
