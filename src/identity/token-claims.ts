import type { Principal } from '../exchange.ts';
import type { TokenFacts } from './services.ts';
import { isJsonObject, type TokenFault } from './token-syntax.ts';

/** What a token is bound to, so that it is of no use to who only copied it (RFC 7800 §3.1). */
export interface Confirmation {
  /** SHA-256 thumbprint of the key of DPoP proofs (RFC 9449 §6.1). */
  readonly jkt: string | undefined;
  /** SHA-256 of the client certificate (RFC 8705 §3.1), base64url. */
  readonly x5tS256: string | undefined;
}

/** What a token says, read into one form. Whether it is good for anything here is decided at each use. */
export interface TokenClaims {
  readonly audiences: readonly string[];
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** The later of `nbf` and `iat`, seconds since the epoch; 0 where there is neither. */
  readonly validFrom: number;
  readonly confirmation: Confirmation | undefined;
  /** Has the marks of an ID token, a refresh token or a logout token: of something that was signed for another purpose. */
  readonly foreignPurpose: boolean;
  readonly facts: TokenFacts;
  /** The same object for every request with this token. */
  readonly principal: Principal;
}

/** The claim of the embedded authorization server that names the grant a token came from. */
const GRANT_CLAIM = 'grant_id';

/** Reads the claims of RFC 9068 §2.2 and their relatives; odd shapes are refused, not repaired. */
export function readClaims(claims: Readonly<Record<string, unknown>>): TokenClaims | TokenFault {
  const { iss, sub, aud, exp, nbf, iat, jti, cnf } = claims;
  const clientId = text(claims['client_id']) ?? text(claims['azp']) ?? text(claims['appid']);
  const subject = sub === undefined ? clientId : text(sub);
  const audiences = texts(aud);
  if (typeof iss !== 'string' || subject === undefined || audiences === undefined) return 'bad-claims';
  if (!isDate(exp) || !isDateOrNone(nbf) || !isDateOrNone(iat)) return 'bad-claims';
  const confirmation = readConfirmation(cnf);
  if (typeof confirmation === 'string') return confirmation;
  return {
    audiences,
    expiresAt: exp,
    validFrom: Math.max(nbf ?? 0, iat ?? 0),
    confirmation,
    foreignPurpose: isForForeignPurpose(claims),
    facts: { jti: text(jti), grantId: text(claims[GRANT_CLAIM]), clientId, subject, issuedAt: iat },
    principal: {
      id: `${iss}|${subject}`,
      kind: isClient(claims, subject, clientId) ? 'client' : 'user',
      method: 'oauth',
      issuer: iss,
      subject,
      clientId,
      consumer: undefined,
      credentialId: text(jti),
      scopes: readScopes(claims),
      claims,
    },
  };
}

/** `scope` as RFC 6749 §3.3 writes it, or a list; `scp` of issuers that came before RFC 9068. What has another shape grants nothing. */
function readScopes(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const written = claims['scope'] ?? claims['scp'];
  if (typeof written === 'string') return written.split(' ').filter((scope) => scope !== '');
  return Array.isArray(written) && written.every((scope) => typeof scope === 'string') ? written : [];
}

/** RFC 9068 §2.2: without a user, `sub` names the client. Some issuers say so in a word of their own. */
function isClient(claims: Readonly<Record<string, unknown>>, subject: string, clientId: string | undefined): boolean {
  if (claims['gty'] === 'client-credentials' || claims['idtyp'] === 'app') return true;
  return clientId !== undefined && (subject === clientId || subject === `${clientId}@clients`);
}

/**
 * An ID token tells a client who signed in; taken as an access token it would open the API to every client of the issuer (RFC
 * 8725 §2.8, attack 40). `typ` tells them apart where issuers set it; for the others there are the claims only those tokens have.
 */
function isForForeignPurpose(claims: Readonly<Record<string, unknown>>): boolean {
  if (FOREIGN_CLAIMS.some((name) => claims[name] !== undefined)) return true;
  const uses = [claims['token_use'] ?? undefined, claims['typ'] ?? undefined].filter((use) => use !== undefined);
  return !uses.every((use) => typeof use === 'string' && ACCESS_USES.has(use.toLowerCase()));
}

const FOREIGN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'] as const;

/** Some issuers write the purpose into the claims, under `token_use` or `typ`; where they use both, both must be right. */
const ACCESS_USES: ReadonlySet<string> = new Set(['access', 'bearer', 'dpop', 'at+jwt']);

/** A binding that cannot be checked is not passed over: who bound the token meant it. */
function readConfirmation(cnf: unknown): Confirmation | undefined | TokenFault {
  if (cnf === undefined) return undefined;
  if (!isJsonObject(cnf)) return 'unknown-binding';
  const { jkt, 'x5t#S256': x5tS256, ...others } = cnf;
  if (Object.keys(others).length > 0) return 'unknown-binding';
  if (jkt === undefined && x5tS256 === undefined) return 'unknown-binding';
  if ((jkt !== undefined && text(jkt) === undefined) || (x5tS256 !== undefined && text(x5tS256) === undefined))
    return 'unknown-binding';
  return { jkt: text(jkt), x5tS256: text(x5tS256) };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function texts(value: unknown): readonly string[] | undefined {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

/** A NumericDate (RFC 7519 §2). */
function isDate(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isDateOrNone(value: unknown): value is number | undefined {
  return value === undefined || isDate(value);
}
