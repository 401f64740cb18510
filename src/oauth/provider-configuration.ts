import { hkdfSync } from 'node:crypto';
import type { AccountClaims, AdapterFactory, Configuration, JWKS, KoaContextWithOIDC, Session } from 'oidc-provider';
import { clientAuthMethods } from '../identity/client-request.ts';
import type { SigningKeys } from '../identity/signing-keys.ts';
import { SOURCE } from './client-adapter.ts';
import { assertShortLived, checkMetadata, isOriginOfClient } from './client-rules.ts';
import { consentPolicy } from './consent-policy.ts';
import type { Accounts } from './interaction-contract.ts';
import type { Lifetimes, SigningOptions } from './options.ts';
import { pageHooks } from './page-hooks.ts';
import { type FeatureParts, protocolFeatures } from './protocol-features.ts';

export interface ConfigurationParts extends FeatureParts {
  readonly issuer: string;
  readonly adapter: AdapterFactory;
  readonly keys: SigningKeys;
  readonly signing: SigningOptions;
  readonly lifetimes: Lifetimes;
  readonly accounts: Accounts;
  readonly scopes: readonly string[];
  readonly cookieSecret: Uint8Array;
  fetch(url: string | URL | Request, init?: RequestInit): Promise<Response>;
}

/** What oidc-provider is told, once for each set of signing keys. */
export function providerConfiguration(parts: ConfigurationParts): Configuration {
  const { issuer, lifetimes, accounts } = parts;
  const secure = issuer.startsWith('https:');
  // Those of an interaction belong to its path, which oidc-provider sets: two tabs do not disturb each other.
  const cookie = { httpOnly: true, sameSite: 'lax', secure, signed: true } as const;
  return {
    adapter: parts.adapter,
    jwks: keystore(parts.keys),
    scopes: parts.scopes,
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username', 'given_name', 'family_name', 'picture', 'locale', 'updated_at'],
      email: ['email', 'email_verified'],
      acr: null,
      sid: null,
      auth_time: null,
      iss: null,
    },
    // An access token for an API does not open userinfo: what a client was granted of the person is in the ID token too.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    clientAuthMethods: [...clientAuthMethods],
    clientDefaults: { id_token_signed_response_alg: parts.signing.algorithms[0] },
    clientBasedCORS: isOriginOfClient,
    extraClientMetadata: { properties: [SOURCE], validator: checkMetadata },
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    assertJwtClientAuthClaimsAndHeader: assertShortLived,
    rotateRefreshToken: true,
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: (ctx, source) =>
      ctx.oidc.client?.applicationType === 'web' &&
      source.kind !== 'DeviceCode' &&
      !source.scopes.has('offline_access'),
    findAccount: async (_ctx, id) => {
      const claims = await accounts.claimsOf(id);
      if (claims === undefined) return undefined;
      return { accountId: id, claims: (): AccountClaims => ({ ...claims, sub: id }) };
    },
    formats: {
      bitsOfOpaqueRandomness: 256,
      customizers: {
        // The grant is named, so that its end is known wherever the token is checked without asking us.
        jwt: (_ctx, token, jwt) => {
          if ('grantId' in token && typeof token.grantId === 'string') jwt.payload['grant_id'] = token.grantId;
        },
      },
    },
    interactions: {
      policy: consentPolicy(),
      url: (_ctx, interaction) => `${new URL(issuer).pathname.replace(/\/$/, '')}/interaction/${interaction.uid}`,
    },
    cookies: {
      keys: [
        Buffer.from(hkdfSync('sha256', parts.cookieSecret, '', 'sallyport oauth cookies', 32)).toString('base64url'),
      ],
      names: cookieNames(secure),
      long: cookie,
      short: cookie,
    },
    routes,
    ttl: {
      AccessToken: lifetimes.accessToken,
      AuthorizationCode: lifetimes.authorizationCode,
      ClientCredentials: lifetimes.clientCredentials,
      DeviceCode: lifetimes.deviceCode,
      Grant: lifetimes.grant,
      IdToken: lifetimes.idToken,
      Interaction: lifetimes.interaction,
      RefreshToken: refreshLifetime(lifetimes.refreshToken),
      Session: sessionLifetime(lifetimes.session),
    },
    enabledJWA: {
      clientAuthSigningAlgValues: ALGORITHMS,
      idTokenSigningAlgValues: ALGORITHMS,
      dPoPSigningAlgValues: ALGORITHMS,
    },
    fetch: parts.fetch,
    fetchResponseBodyLimits: {
      'client_id metadata document': 5 * 1024,
      jwks_uri: 64 * 1024,
      sector_identifier_uri: 5 * 1024,
    },
    features: protocolFeatures(parts),
    ...pageHooks(parts).errors,
  };
}

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;

/** Where the endpoints are below the issuer. */
export const routes = {
  authorization: '/authorize',
  code_verification: '/device',
  device_authorization: '/device/authorize',
  end_session: '/logout',
  introspection: '/introspect',
  jwks: '/jwks',
  pushed_authorization_request: '/par',
  registration: '/register',
  revocation: '/revoke',
  token: '/token',
  userinfo: '/userinfo',
} as const;

/** Private parts of every published key: oidc-provider signs with the first of an algorithm and verifies with all. */
function keystore(keys: SigningKeys): JWKS {
  return { keys: keys.all().map((key) => ({ ...key.privateJwk, kid: key.kid, alg: key.alg, use: 'sig' })) };
}

/** The prefixes keep a sibling domain from setting them (RFC 6265bis); they need TLS, which a gateway under development may lack. */
function cookieNames(secure: boolean): { session: string; interaction: string; resume: string } {
  return {
    session: `${secure ? '__Host-' : ''}sallyport_session`,
    interaction: `${secure ? '__Secure-' : ''}sallyport_interaction`,
    resume: `${secure ? '__Secure-' : ''}sallyport_resume`,
  };
}

/** A family of refresh tokens that no key binds ends when its first token would have (RFC 9700 §4.14.2). */
function refreshLifetime(lifetime: number) {
  return function refreshTokenLifetime(ctx: KoaContextWithOIDC): number {
    const rotated = ctx.oidc.entities.RotatedRefreshToken;
    if (rotated === undefined || rotated.isSenderConstrained()) return lifetime;
    return ctx.oidc.client?.clientAuthMethod === 'none' ? Math.max(1, rotated.remainingTTL) : lifetime;
  };
}

/** From the last sign-in on: oidc-provider would begin anew with each request, so that a stolen session never ended. */
function sessionLifetime(lifetime: number) {
  return function sessionLifetimeLeft(ctx: KoaContextWithOIDC, session: Session): number {
    const signedInNow = ctx.oidc.result?.login !== undefined;
    // One that was never written has no end yet.
    const { exp }: { readonly exp?: number } = session;
    return signedInNow || exp === undefined ? lifetime : Math.max(1, exp - Math.floor(Date.now() / 1000));
  };
}
