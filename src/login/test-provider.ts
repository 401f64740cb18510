import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';

/** An OpenID provider of its own make, for tests: it signs everybody in as the account it was told, and consents. */
export interface TestProvider {
  readonly issuer: string;
  /** Requests that came, as `POST /token`. */
  readonly seen: string[];
  /** Who signs in next, and what the interaction answers instead where it is set. */
  account: string;
  refusal: { readonly error: string; readonly error_description: string } | undefined;
  /** Answers requests before the provider does where it returns true. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** Signs with the provider's own key. */
  sign(payload: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  close(): Promise<void>;
}

export interface TestProviderOptions {
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris?: readonly string[];
  /** Known once the app listens. */
  readonly backchannelLogoutUri?: string;
  readonly pushed?: boolean;
  /** The one way it lets the client prove itself. */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post';
  /** Seconds. */
  readonly accessTokenTtl?: number;
}

export const TEST_CLIENT = { clientId: 'gateway', clientSecret: 'a-secret-of-a-test-and-of-nobody-else' };

export async function startTestProvider(options: TestProviderOptions): Promise<TestProvider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'k1' };
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const issuer = `http://127.0.0.1:${address.port}`;

  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: TEST_CLIENT.clientId,
        client_secret: TEST_CLIENT.clientSecret,
        token_endpoint_auth_method: options.clientAuthentication ?? 'client_secret_basic',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [...options.redirectUris],
        post_logout_redirect_uris: [...(options.postLogoutRedirectUris ?? [])],
        ...(options.backchannelLogoutUri === undefined
          ? {}
          : { backchannel_logout_uri: options.backchannelLogoutUri, backchannel_logout_session_required: true }),
      },
    ],
    jwks: { keys: [jwk] },
    cookies: { keys: ['a-cookie-key-of-a-test'] },
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true },
      pushedAuthorizationRequests: { enabled: options.pushed === true },
    },
    // Its own fetch refuses addresses such as those of a test.
    fetch: (url, init) => {
      const { method, headers, body } = init ?? {};
      return fetch(url, { ...(method && { method }), ...(headers && { headers }), body: body ?? null });
    },
    rotateRefreshToken: true,
    ttl: { AccessToken: options.accessTokenTtl ?? 600, Session: 600, Grant: 600, Interaction: 600, IdToken: 600 },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, sub) => ({
      accountId: sub,
      claims: () => ({ sub, name: `<b>${sub}</b>`, email: `${sub}@example.com` }),
    }),
  });
  // It warns of what is on purpose here: plain http, in memory.
  provider.on('server_error', (_context, error) => {
    throw error;
  });

  const test: TestProvider = {
    issuer,
    seen: [],
    account: 'alice',
    refusal: undefined,
    intercept: undefined,
    sign: (payload, header) =>
      new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header }).sign(privateKey),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  const callback = provider.callback();
  server.on('request', (request, response) => {
    test.seen.push(`${request.method} ${(request.url ?? '').split('?')[0]}`);
    if (test.intercept?.(request, response) === true) return;
    if (request.url?.startsWith('/interaction/') === true) {
      interact(provider, test, { request, response }).catch((error: unknown) => response.destroy(error as Error));
    } else void callback(request, response);
  });
  return test;
}

/** What a person would do: sign in, then agree to everything. */
async function interact(
  provider: Provider,
  test: TestProvider,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (test.refusal !== undefined) return provider.interactionFinished(request, response, test.refusal);
  if (prompt.name === 'login')
    return provider.interactionFinished(request, response, { login: { accountId: test.account } });
  const accountId = session?.accountId ?? '';
  const grant =
    (grantId === undefined ? undefined : await provider.Grant.find(grantId)) ??
    new provider.Grant({ accountId, clientId: String(params['client_id']) });
  grant.addOIDCScope(String(params['scope']));
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}
