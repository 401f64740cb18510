import type { ClientCertificate } from '../../exchange.ts';
import type { ProofFault } from '../../identity/dpop-proof.ts';
import { schemeOf } from '../../identity/token-challenge.ts';
import type { TokenFault } from '../../identity/token-syntax.ts';

/** A token as the Authorization field carries it (RFC 6750 §2.1, RFC 9449 §7.1). */
export interface TokenCredential {
  readonly scheme: 'bearer' | 'dpop';
  readonly token: string;
}

/** Why a token does not open this API, in fixed words: they stand in logs and audit records. */
export type Refusal =
  | TokenFault
  | ProofFault
  | 'bound-to-a-key'
  | 'bound-to-a-certificate'
  | 'not-bound'
  | 'not-bound-to-a-key';

/** Reads the Authorization field; undefined where it has another scheme, which is another method's business. */
export function readCredential(authorization: string | undefined): TokenCredential | undefined {
  const scheme = schemeOf(authorization);
  if (authorization === undefined || (scheme !== 'bearer' && scheme !== 'dpop')) return undefined;
  let begin = scheme.length;
  while (authorization.charCodeAt(begin) === BLANK) begin += 1;
  return { scheme, token: authorization.slice(begin) };
}

/** The thumbprint a token is bound by (RFC 8705 §3.1): SHA-256 of the certificate's DER form, base64url. */
export function thumbprintOf(certificate: ClientCertificate | undefined): string | undefined {
  if (certificate === undefined) return undefined;
  return Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
}

/** What a client is told (RFC 6750 §3.1, RFC 9449 §7.1): enough for an honest one, nothing of keys and checks. */
export function describeRefusal(refusal: Refusal): { readonly error: string; readonly description: string } {
  if (PROOF_REFUSALS.has(refusal))
    return { error: 'invalid_dpop_proof', description: 'the DPoP proof does not fit this request' };
  return { error: 'invalid_token', description: DESCRIPTIONS[refusal] ?? 'the access token is not valid here' };
}

const DESCRIPTIONS: Partial<Readonly<Record<Refusal, string>>> = {
  expired: 'the access token has expired',
  'not-valid-yet': 'the access token is not valid yet',
  'wrong-audience': 'the access token is for another audience',
  revoked: 'the access token was revoked',
  inactive: 'the access token is not active',
  'bound-to-a-key': 'the access token is bound to a key: use the DPoP scheme with a proof',
  'bound-to-a-certificate': 'the access token is bound to another client certificate',
  'not-bound': 'this API takes tokens that are bound to a key or certificate of their holder',
  'not-bound-to-a-key': 'the access token is bound to no key: use the Bearer scheme',
};

const PROOF_REFUSALS: ReadonlySet<Refusal> = new Set<Refusal>([
  'no-proof',
  'several-proofs',
  'malformed-proof',
  'proof-algorithm-not-allowed',
  'proof-of-another-key',
  'proof-of-another-request',
  'proof-of-another-token',
  'proof-out-of-time',
  'bad-proof-signature',
  'proof-replayed',
]);

const BLANK = 0x20;
