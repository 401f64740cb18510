import type { TokenFault, UnverifiedToken } from './token-syntax.ts';
import type { TokenVerifier, VerifiedToken } from './token-verifier.ts';

/** What one `oauth` alternative of an API asks of its tokens. */
export interface TokenRules {
  readonly issuer: string;
  /** True for the embedded authorization server, whose revocations are known here. */
  readonly own: boolean;
  readonly audiences: ReadonlySet<string>;
  readonly algorithms: ReadonlySet<string>;
  /** Media types in lower case without `application/`. */
  readonly types: ReadonlySet<string>;
  /** Whether tokens that state no type, or only JWT, are taken too. */
  readonly acceptPlainJwt: boolean;
  /** Seconds the issuer's clock may be ahead. An expired token is expired: leeway never makes one live longer. */
  readonly clockLeeway: number;
}

/** What can be said before any signature is checked, so that no work is spent on a token that could not pass. */
export function refuseUnverified(token: UnverifiedToken, rules: TokenRules): TokenFault | undefined {
  if (!rules.algorithms.has(token.algorithm)) return 'algorithm-not-allowed';
  return typeAllowed(token.type, rules) ? undefined : 'type-not-allowed';
}

/** Everything a proved token must meet at this place, at each use anew (attack 39, CVE-2026-33496). `now` in seconds. */
export function refuseVerified(
  token: VerifiedToken,
  rules: TokenRules,
  verifier: TokenVerifier,
  now: number,
): TokenFault | undefined {
  if (token.issuer !== rules.issuer) return 'unknown-issuer';
  if (!rules.algorithms.has(token.algorithm)) return 'algorithm-not-allowed';
  if (!typeAllowed(token.type, rules)) return 'type-not-allowed';
  // What says it is an access token is taken at its word; for the rest there are only the marks in the claims.
  if (token.foreignPurpose && isPlain(token.type)) return 'not-an-access-token';
  const fault = refuseClaims(token, rules, now);
  if (fault !== undefined) return fault;
  return rules.own && verifier.isRevoked(token) ? 'revoked' : undefined;
}

/** The part of the rules that holds for an introspected token too. */
export function refuseClaims(
  token: Pick<VerifiedToken, 'expiresAt' | 'validFrom' | 'audiences'>,
  rules: TokenRules,
  now: number,
): TokenFault | undefined {
  if (token.expiresAt <= now) return 'expired';
  if (token.validFrom > now + rules.clockLeeway) return 'not-valid-yet';
  for (const audience of token.audiences) if (rules.audiences.has(audience)) return undefined;
  return 'wrong-audience';
}

function typeAllowed(type: string | undefined, rules: TokenRules): boolean {
  if (isPlain(type)) return rules.acceptPlainJwt;
  return rules.types.has(type);
}

function isPlain(type: string | undefined): type is 'jwt' | undefined {
  return type === undefined || type === 'jwt';
}
