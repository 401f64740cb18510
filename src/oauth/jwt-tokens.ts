import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose';
import type { AdapterPayload } from 'oidc-provider';
import { signingAlgorithms } from '../identity/make-signing-key.ts';
import type { SigningKeys } from '../identity/signing-keys.ts';
import type { Artifacts } from '../stores/artifacts.ts';

export interface JwtTokens {
  /** Whether what oidc-provider looks for is a JWT that `disguise` went over. */
  isDisguised(id: string): boolean;
  /** What would be stored for a JWT access token of ours, were it opaque; undefined where it is not ours, or revoked. */
  find(model: 'AccessToken' | 'ClientCredentials', id: string): Promise<AdapterPayload | undefined>;
  /** Ends one token before its time. The store hears of it together with the audit log. */
  revoke(token: RevokedToken): Promise<void>;
}

export interface RevokedToken {
  readonly jti: string;
  /** Seconds since the epoch: until then its revocation has to be remembered. */
  readonly exp: number;
  readonly clientId: string | undefined;
  readonly accountId: string | undefined;
  readonly grantId: string | undefined;
  readonly actor: string;
}

/**
 * oidc-provider refuses JWTs at the endpoints of introspection and revocation since it keeps no record of them. Ours carry
 * what such a record would hold (RFC 9068), so a JWT is passed to it in a disguise, as the id of a record, and this finds that
 * record inside the token. All the rest, client authentication above all, is the endpoint's as it is.
 */
export function createJwtTokens(parts: {
  readonly issuer: string;
  readonly keys: SigningKeys;
  readonly artifacts: Artifacts;
}): JwtTokens {
  const { issuer, keys, artifacts } = parts;
  return {
    isDisguised: (id) => id.startsWith(DISGUISE),
    async find(model, id) {
      const claims = await verified(id.slice(DISGUISE.length));
      if (claims === undefined) return undefined;
      const payload = recordOf(claims);
      if (payload.kind !== model || payload.jti === undefined) return undefined;
      return (await artifacts.find(REVOKED, payload.jti)) === undefined ? payload : undefined;
    },
    async revoke({ jti, exp, clientId, accountId, grantId, actor }) {
      const record = {
        model: REVOKED,
        id: jti,
        payload: {},
        expiresAt: exp * 1000,
        userCode: undefined,
        uid: undefined,
      };
      // Without the grant: the revocation outlives it.
      await artifacts.upsert({ ...record, grantId: undefined, accountId: undefined, clientId: undefined }, [
        {
          type: 'token.revoked',
          actor,
          subject: `token:${jti}`,
          detail: { exp, ...present({ client: clientId, account: accountId, grant: grantId }) },
        },
      ]);
    },
  };

  async function verified(token: string): Promise<JWTPayload | undefined> {
    try {
      const { payload } = await jwtVerify(token, createLocalJWKSet(keys.published()), {
        issuer,
        typ: 'at+jwt',
        algorithms: [...signingAlgorithms],
        requiredClaims: ['jti', 'exp', 'iat', 'client_id', 'sub', 'aud'],
      });
      return payload;
    } catch {
      return undefined;
    }
  }
}

/** Keeps a token from being taken for a JWT; `:` is in no token we give out. */
export function disguise(jwt: string): string {
  return DISGUISE + jwt;
}

const DISGUISE = 'at+jwt:';
const REVOKED = 'RevokedToken';

function recordOf(claims: JWTPayload): AdapterPayload {
  const { jti, exp, iat, aud, sub, scope, client_id: clientId, grant_id: grantId, cnf } = claims;
  const bound = isRecord(cnf) ? cnf : {};
  const isUsers = typeof grantId === 'string';
  return {
    kind: isUsers ? 'AccessToken' : 'ClientCredentials',
    jti,
    exp,
    iat,
    aud,
    scope: textOf(scope),
    clientId: textOf(clientId),
    ...(isUsers ? { grantId, accountId: sub } : {}),
    'x5t#S256': textOf(bound['x5t#S256']),
    jkt: textOf(bound['jkt']),
  };
}

function present(members: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
