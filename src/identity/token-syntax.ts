/** Why a token does not count. Fixed words: they stand in logs and in audit records. */
export type TokenFault =
  | 'malformed'
  | 'encrypted'
  | 'opaque'
  | 'unknown-issuer'
  | 'algorithm-not-allowed'
  | 'type-not-allowed'
  | 'critical-extension'
  | 'no-such-key'
  | 'bad-signature'
  | 'bad-claims'
  | 'not-an-access-token'
  | 'expired'
  | 'not-valid-yet'
  | 'wrong-audience'
  | 'revoked'
  | 'inactive'
  | 'unknown-binding';

/** A JWS as it was sent. Nothing of it is proved yet: what is read here only chooses whose keys and rules it is held against. */
export interface UnverifiedToken {
  readonly text: string;
  readonly algorithm: string;
  /** Media type in lower case without `application/` (RFC 7515 §4.1.9); undefined where there is none. */
  readonly type: string | undefined;
  readonly keyId: string | undefined;
  readonly issuer: string;
}

/**
 * Whether a text can be an access token at all: the characters of RFC 6750 §2.1 and no more than 16 KiB. It is asked before
 * anything is parsed, so a token of a megabyte costs nothing (attack 38).
 */
export function isTokenText(text: string): boolean {
  return text.length <= LONGEST_TOKEN && TOKEN68.test(text);
}

/** In bytes. Longer texts are not looked at, let alone hashed. */
export const LONGEST_TOKEN = 16_384;

/**
 * Reads the header of a JWS in compact form, and the issuer it claims. `jku`, `x5u`, `x5c` and `jwk` are not looked at: a token
 * does not say which key proves it (attack 36). A JWE is not opened, whatever its `p2c` or `zip` (attack 38).
 */
export function readToken(text: string): UnverifiedToken | TokenFault {
  const parts = JWS.exec(text);
  if (parts === null) return JWE.test(text) ? 'encrypted' : 'opaque';
  const header = jsonObject(parts[1] ?? '');
  const claims = jsonObject(parts[2] ?? '');
  if (header === undefined || claims === undefined) return 'malformed';
  const { alg, typ, kid } = header;
  // RFC 7515 §4.1.11: what is critical must be understood, and nothing here is. `b64` (RFC 7797) would need to be among it.
  if (header['crit'] !== undefined || header['b64'] !== undefined) return 'critical-extension';
  if (header['enc'] !== undefined || header['zip'] !== undefined) return 'encrypted';
  if (typeof alg !== 'string' || !isTextOrNone(typ) || !isTextOrNone(kid)) return 'malformed';
  if (typeof claims['iss'] !== 'string') return 'bad-claims';
  return { text, algorithm: alg, type: mediaType(typ), keyId: kid, issuer: claims['iss'] };
}

/** The claims inside a JWS whose signature was proved; undefined where they are no object. */
export function jsonObject(part: string | Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'base64url') : part;
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `at+jwt` and `application/AT+JWT` are the same type. */
export function mediaType(typ: string | undefined): string | undefined {
  const lower = typ?.toLowerCase();
  return lower?.startsWith('application/') === true ? lower.slice('application/'.length) : lower;
}

function isTextOrNone(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/;
const JWS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*$/;
const JWE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/;
const UTF8 = new TextDecoder('utf-8', { fatal: true });
