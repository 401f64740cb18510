import { createRemoteJWKSet, type JWTVerifyGetKey, customFetch as joseFetch } from 'jose';
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  type CustomFetch,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
} from 'openid-client';
import { StoreUnavailable } from '../stores/stores.ts';
import type { LoginSettings } from './login-settings.ts';
import { boundedFetch, createProviderFetch } from './provider-fetch.ts';

/** The OpenID provider of one login, as the gateway's client sees it. */
export interface Provider {
  readonly settings: LoginSettings;
  /** Its metadata and our client there. Rejects with StoreUnavailable where it was never reached. */
  configuration(): Promise<Configuration>;
  /** The keys it signs with. */
  keys(): Promise<JWTVerifyGetKey>;
  close(): Promise<void>;
}

export interface ProviderOptions {
  /** A way to the provider other than the network; asked each time, since a reload may open or close one. */
  readonly ownWay: () => CustomFetch | undefined;
  readonly clock: () => number;
}

/** Discovers a provider when it is first needed, again after an hour, and after a failure not before some seconds have passed. */
export function createProvider(settings: LoginSettings, options: ProviderOptions): Provider {
  const network = createProviderFetch(settings.issuer, settings.ca);
  const fetch: CustomFetch = (url, request) => {
    const own = options.ownWay();
    return own === undefined ? network.fetch(url, request) : boundedFetch(own)(url, request);
  };
  let known: Known | undefined;
  let running: Promise<Known> | undefined;
  let failure: { readonly error: unknown; readonly until: number } | undefined;

  async function discover(): Promise<Known> {
    const configuration = await discovery(
      new URL(settings.issuer),
      settings.clientId,
      // The gateway asks for nothing to be encrypted or signed with its secret.
      { client_secret: settings.clientSecret, redirect_uris: [] },
      clientAuthentication(settings),
      { [customFetch]: fetch, timeout: TIME_SECONDS, execute: extensions(settings) },
    );
    const { issuer, jwks_uri: jwksUri } = configuration.serverMetadata();
    if (issuer !== settings.issuer)
      throw new Error(
        `the provider calls itself ${issuer}, and the login ${settings.name} calls it ${settings.issuer}`,
      );
    if (jwksUri === undefined) throw new Error(`the metadata of ${issuer} names no jwks_uri`);
    const keys = createRemoteJWKSet(new URL(jwksUri), {
      [joseFetch]: (url, request) =>
        fetch(url, { ...request, headers: Object.fromEntries(request.headers), body: undefined }),
      timeoutDuration: TIME_SECONDS * 1_000,
    });
    return { configuration, keys, until: options.clock() + KNOWN_FOR_MS };
  }

  async function current(): Promise<Known> {
    const now = options.clock();
    if (known !== undefined && now < known.until) return known;
    if (failure !== undefined && now < failure.until) {
      if (known !== undefined) return known;
      throw unreachable(settings, failure.error);
    }
    running ??= discover().finally(() => {
      running = undefined;
    });
    try {
      known = await running;
      failure = undefined;
      return known;
    } catch (error) {
      failure = { error, until: options.clock() + COOL_DOWN_MS };
      // What was known an hour ago is most likely still so.
      if (known !== undefined) return known;
      throw unreachable(settings, error);
    }
  }

  return {
    settings,
    configuration: async () => (await current()).configuration,
    keys: async () => (await current()).keys,
    close: () => network.close(),
  };
}

interface Known {
  readonly configuration: Configuration;
  readonly keys: JWTVerifyGetKey;
  readonly until: number;
}

function clientAuthentication(settings: LoginSettings): ClientAuth {
  return settings.clientAuthentication === 'client_secret_post'
    ? ClientSecretPost(settings.clientSecret)
    : ClientSecretBasic(settings.clientSecret);
}

/** The configuration lets an issuer be in plain text on this machine alone. ID tokens are verified by their signature even where TLS vouches for them. */
function extensions(settings: LoginSettings): ((configuration: Configuration) => void)[] {
  return settings.issuer.startsWith('http:')
    ? [allowInsecureRequests, enableNonRepudiationChecks]
    : [enableNonRepudiationChecks];
}

function unreachable(settings: LoginSettings, error: unknown): StoreUnavailable {
  return new StoreUnavailable(`the provider ${settings.issuer} of the login ${settings.name} cannot be used`, {
    cause: error,
  });
}

const TIME_SECONDS = 10;
const KNOWN_FOR_MS = 3_600_000;
const COOL_DOWN_MS = 5_000;
