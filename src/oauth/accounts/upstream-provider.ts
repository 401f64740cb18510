import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretBasic,
  type Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import type { JsonObject } from '../../lib/json.ts';
import { StoreUnavailable } from '../../stores/stores.ts';
import { createUpstreamFetch } from './upstream-fetch.ts';

/** The OpenID provider people sign in at. */
export interface UpstreamSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes: readonly string[];
  /** Whether everyone the provider lets in gets an account here; else the account must be there. */
  readonly createUsers: boolean;
  /** What the sign-in page calls it. */
  readonly title: string;
  /** Roots to verify it against besides the system's, PEM. */
  readonly ca?: string | undefined;
}

/** What an app asked of a sign-in (OpenID Connect Core §3.1.2.1). */
export interface SignInWish {
  /** The person has to show anew who they are: `prompt=login`. */
  readonly anew: boolean;
  /** In seconds: how long ago they may have shown it. */
  readonly maxAge: number | undefined;
  readonly loginHint: string | undefined;
}

/** What one sign-in there is bound to. It comes back with the browser, sealed. */
export interface UpstreamChecks {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Seconds since the epoch: an older sign-in there is not what the app asked for; undefined where it asked for nothing. */
  readonly notBefore: number | undefined;
}

export interface UpstreamPerson {
  readonly issuer: string;
  readonly subject: string;
  /** Seconds since the epoch, where the provider tells it. */
  readonly authenticatedAt: number | undefined;
  /** Claims about the person by the names of OpenID Connect, those alone that may be kept. */
  readonly claims: JsonObject;
}

export interface UpstreamProvider {
  readonly title: string;
  readonly createUsers: boolean;
  /** Rejects with StoreUnavailable where the provider cannot be reached. */
  begin(redirectUri: string, wish: SignInWish): Promise<{ readonly url: string; readonly checks: UpstreamChecks }>;
  /** `callback` is the redirect URI with the query the browser came with. Rejects where anything about the answer is wrong. */
  finish(callback: URL, checks: UpstreamChecks): Promise<UpstreamPerson>;
  close(): Promise<void>;
}

const METADATA_MS = 3_600_000;
/** By how much the provider's clock may be behind. */
const SKEW_SECONDS = 30;

/** The gateway as a client of another provider: authorization code, PKCE, state and nonce; ID tokens checked by signature. */
export function createUpstreamProvider(settings: UpstreamSettings): UpstreamProvider {
  const network = createUpstreamFetch(settings.issuer, settings.ca);
  let known: { readonly configuration: Promise<Configuration>; readonly until: number } | undefined;

  /** Discovered when it is first needed, again after an hour, and after a failure by whoever comes next. */
  async function configuration(): Promise<Configuration> {
    if (known === undefined || known.until < Date.now()) {
      known = { configuration: discover(), until: Date.now() + METADATA_MS };
    }
    const asked = known;
    try {
      return await asked.configuration;
    } catch (error) {
      if (known === asked) known = undefined;
      throw new StoreUnavailable(`the provider ${settings.issuer} cannot be reached`, { cause: error });
    }
  }

  async function discover(): Promise<Configuration> {
    const plain = settings.issuer.startsWith('http:') ? [allowInsecureRequests] : [];
    return await discovery(
      new URL(settings.issuer),
      settings.clientId,
      { client_secret: settings.clientSecret },
      ClientSecretBasic(settings.clientSecret),
      { [customFetch]: network.fetch, timeout: 5, execute: [...plain, enableNonRepudiationChecks] },
    );
  }

  return {
    title: settings.title,
    createUsers: settings.createUsers,
    async begin(redirectUri, { anew, maxAge, loginHint }) {
      const there = await configuration();
      // Only who is asked for an age has to tell `auth_time`, so a sign-in anew is one of no age.
      const age = anew ? 0 : maxAge;
      const checks = {
        state: randomState(),
        nonce: randomNonce(),
        verifier: randomPKCECodeVerifier(),
        notBefore: age === undefined ? undefined : Math.floor(Date.now() / 1000) - age,
      };
      const url = buildAuthorizationUrl(there, {
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: [...new Set(['openid', ...settings.scopes])].join(' '),
        state: checks.state,
        nonce: checks.nonce,
        code_challenge: await calculatePKCECodeChallenge(checks.verifier),
        code_challenge_method: 'S256',
        ...(anew ? { prompt: 'login' } : {}),
        ...(age === undefined ? {} : { max_age: String(age) }),
        ...(loginHint === undefined ? {} : { login_hint: loginHint }),
      });
      return { url: url.href, checks };
    },
    async finish(callback, checks) {
      const there = await configuration();
      const tokens = await authorizationCodeGrant(there, callback, {
        expectedState: checks.state,
        expectedNonce: checks.nonce,
        pkceCodeVerifier: checks.verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new Error('the provider sent no ID token');
      const { auth_time: authenticatedAt } = claims;
      // The browser carried the request there, and could take out of it what was asked.
      if (checks.notBefore !== undefined && isOlder(authenticatedAt, checks.notBefore))
        throw new Error('the sign-in at the provider is older than the app asked for, or of unknown age');
      const more =
        there.serverMetadata().userinfo_endpoint === undefined
          ? {}
          : await fetchUserInfo(there, tokens.access_token, claims.sub);
      const kept = keptClaims({ ...more, ...claims });
      return { issuer: claims.iss, subject: claims.sub, authenticatedAt, claims: kept };
    },
    close: () => network.close(),
  };
}

function isOlder(authenticatedAt: number | undefined, notBefore: number): boolean {
  return authenticatedAt === undefined || authenticatedAt < notBefore - SKEW_SECONDS;
}

/** What an account here may say of a person, in bounds: the rest of what a provider tells is none of our clients' business. */
function keptClaims(told: Readonly<Record<string, unknown>>): JsonObject {
  const kept: Record<string, string | boolean> = {};
  for (const name of KEPT_TEXTS) {
    const value = told[name];
    if (typeof value === 'string' && value !== '' && value.length <= 512) kept[name] = value;
  }
  if (kept['email'] !== undefined && typeof told['email_verified'] === 'boolean')
    kept['email_verified'] = told['email_verified'];
  return kept;
}

const KEPT_TEXTS = [
  'name',
  'given_name',
  'family_name',
  'preferred_username',
  'email',
  'locale',
  'zoneinfo',
  'picture',
] as const;

/** The claims that are the provider's to tell. */
export const KEPT_CLAIMS: ReadonlySet<string> = new Set([...KEPT_TEXTS, 'email_verified']);
