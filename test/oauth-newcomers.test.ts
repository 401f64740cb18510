import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { type AppServer, sendJson, startAppServer } from './support/oauth-app-server.ts';
import { bearer, refusedSoon, statusAt, withOpenidClient } from './support/oauth-client.ts';
import type { TlsFetch } from './support/oauth-fetch.ts';
import { ADA, type OauthGateway, startOauthGateway } from './support/oauth-gateway.ts';
import { goThrough } from './support/oauth-pages.ts';

const INITIAL_ACCESS_TOKEN = 'an-initial-access-token-of-the-operator';
const LOOPBACK_CALLBACK = 'http://127.0.0.1/callback';

describe('clients nobody has registered here, by discovery alone over TLS', { timeout: 90_000 }, () => {
  let at: OauthGateway;
  let app: AppServer;
  let anybody: TlsFetch['fetch'];
  let keys: oauth.CryptoKeyPair;

  before(async () => {
    keys = await oauth.generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
    at = await startOauthGateway(async ({ partners }) => {
      app = await startAppServer(await partners.issue('localhost'), ({ path }, response, url) => {
        const shared = { client_id: `${url}${path}`, client_name: 'Elsewhere', redirect_uris: [LOOPBACK_CALLBACK] };
        if (path === '/keys') sendJson(response, { keys: [jwk] });
        else if (path === '/agent') sendJson(response, { ...shared, token_endpoint_auth_method: 'none' });
        else
          sendJson(response, {
            ...shared,
            redirect_uris: [`${url}/callback`],
            token_endpoint_auth_method: 'private_key_jwt',
            jwks_uri: `${url}/keys`,
          });
      });
      return {
        server: {
          clientIdMetadata: true,
          registration: { initialAccessToken: INITIAL_ACCESS_TOKEN },
          privateNetworks: ['127.0.0.0/8', '::1/128'],
        },
      };
    });
    anybody = at.fetchAs();
  });
  after(async () => {
    await at?.stop();
    await app?.close();
  });

  async function signIn(config: openid.Configuration, parameters: Readonly<Record<string, string>>) {
    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const url = openid.buildAuthorizationUrl(config, {
      scope: 'widgets:read',
      resource: at.widgets,
      state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...parameters,
    });
    const back = await goThrough(at.browse(), url);
    return await openid.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state });
  }

  test('a client that knows an API alone finds its authorization server and gets in (RFC 9728, RFC 8414)', async () => {
    const http = { [oauth.customFetch]: anybody };
    const api = new URL(at.widgets);
    const challenged = await oauth.protectedResourceRequest('none', 'GET', api, undefined, undefined, http).then(
      () => assert.fail('without a token nobody gets in'),
      (error: oauth.WWWAuthenticateChallengeError) => error,
    );
    const [challenge] = challenged.cause.filter(({ scheme }) => scheme === 'bearer');
    const place = challenge?.parameters.resource_metadata ?? '';
    const resource = await oauth.processResourceDiscoveryResponse(api, await anybody(place));
    const found = await oauth.processResourceDiscoveryResponse(api, await oauth.resourceDiscoveryRequest(api, http));
    assert.deepEqual(found, resource, 'the well-known place is the one the challenge names');
    assert.deepEqual(resource.scopes_supported, ['widgets:read', 'widgets:write']);

    const [server = ''] = resource.authorization_servers ?? [];
    const issuer = new URL(server);
    const answer = await oauth.discoveryRequest(issuer, { ...http, algorithm: 'oauth2' });
    const as = await oauth.processDiscoveryResponse(issuer, answer);
    assert.equal(as['client_id_metadata_document_supported'], true);

    const client = { client_id: `${app.url}/agent` };
    const verifier = oauth.generateRandomCodeVerifier();
    const redirectUri = 'http://127.0.0.1:49152/callback'; // any port of loopback (RFC 8252 §7.3)
    const start = new URL(as.authorization_endpoint ?? '');
    start.search = new URLSearchParams({
      client_id: client.client_id,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'widgets:read',
      resource: resource.resource,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }).toString();
    const back = await goThrough(at.browse(), start);
    const parameters = oauth.validateAuthResponse(as, client, back, oauth.expectNoState);
    const auth = oauth.None();
    const options = { ...http, additionalParameters: { resource: resource.resource } };
    const sent = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      auth,
      parameters,
      redirectUri,
      verifier,
      options,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, sent);
    const reply = await oauth.protectedResourceRequest(tokens.access_token, 'GET', api, undefined, undefined, http);
    assert.equal(reply.status, 200);
    assert.ok(!('authorization' in (at.upstream.seen.at(-1)?.headers ?? {})), 'the token ends at the gateway');
  });

  test('a Client ID Metadata Document names keys, too; who signs in is told where the client comes from', async () => {
    const id = `${app.url}/signer`;
    const auth = openid.PrivateKeyJwt({ key: keys.privateKey, kid: 'k1' });
    const config = await withOpenidClient(at, { id, auth, fetch: anybody });
    const tokens = await signIn(config, { redirect_uri: `${app.url}/callback` });
    assert.equal(await statusAt(at.widgets, bearer(tokens.access_token), anybody), 200);
    assert.ok(app.seen.some(({ path }) => path === '/keys'));

    const wrong = openid.PrivateKeyJwt({ key: (await oauth.generateKeyPair('ES256')).privateKey, kid: 'k1' });
    const impostor = await withOpenidClient(at, { id, auth: wrong, fetch: anybody });
    await assert.rejects(signIn(impostor, { redirect_uri: `${app.url}/callback` }), openid.ResponseBodyError);

    const visitor = at.browse();
    const page = await visitor.get(
      openid.buildAuthorizationUrl(config, {
        redirect_uri: `${app.url}/callback`,
        scope: 'widgets:read',
        resource: at.widgets,
        code_challenge: await openid.calculatePKCECodeChallenge(openid.randomPKCECodeVerifier()),
        code_challenge_method: 'S256',
      }).href,
    );
    assert.ok(page.body.includes(new URL(app.url).host), 'the page names its host');
    assert.ok((await visitor.submit(page, 'password', ADA)).body.includes(new URL(app.url).host));
  });

  test('registration (RFC 7591) takes the initial access token alone; the client then works', async () => {
    const metadata = {
      client_name: 'Registered',
      redirect_uris: ['https://new.example.com/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      scope: 'widgets:read offline_access',
      token_endpoint_auth_method: 'client_secret_basic',
    };
    const register = (initialAccessToken: string | undefined, more: object = {}) =>
      openid.dynamicClientRegistration(new URL(at.issuer), { ...metadata, ...more }, undefined, {
        [openid.customFetch]: anybody,
        ...(initialAccessToken === undefined ? {} : { initialAccessToken }),
      });
    for (const token of [undefined, `${INITIAL_ACCESS_TOKEN}x`]) await assert.rejects(register(token));
    await assert.rejects(
      register(INITIAL_ACCESS_TOKEN, { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }),
      ({ error_description: why }: openid.ResponseBodyError) => /client_credentials/.test(why ?? ''),
      'a client that registers itself acts for people, never for itself',
    );

    const config = await register(INITIAL_ACCESS_TOKEN);
    const facts = config.clientMetadata();
    assert.ok(String(facts.client_secret).length >= 43);
    const tokens = await signIn(config, { redirect_uri: 'https://new.example.com/callback' });
    assert.equal(await statusAt(at.widgets, bearer(tokens.access_token), anybody), 200);

    // It manages itself (RFC 7592); each change gives it another token for the next.
    const place = String(facts['registration_client_uri']);
    assert.ok(place.startsWith(`${at.issuer}/register/`));
    const manage = async (method: string, token: unknown, body?: object) => {
      const json = body === undefined ? undefined : JSON.stringify(body);
      const headers = { ...bearer(String(token)), 'Content-Type': 'application/json' };
      const reply = await anybody(place, { method, headers, body: json });
      const text = await reply.text();
      // Management answers with JSON objects or with nothing.
      return { status: reply.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
    };
    const first = facts['registration_access_token'];
    const read = await manage('GET', first);
    assert.equal(read.status, 200);
    assert.equal(read.body['client_secret'], undefined, 'a secret is shown once');
    assert.equal((await manage('GET', INITIAL_ACCESS_TOKEN)).status, 401);
    const changed = await manage('PUT', first, { ...metadata, client_id: facts.client_id, client_name: 'Renamed' });
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
    assert.equal(changed.body['client_name'], 'Renamed');
    assert.equal((await manage('GET', first)).status, 401);
    assert.equal((await manage('DELETE', changed.body['registration_access_token'])).status, 204);
    await refusedSoon(at.widgets, tokens.access_token, anybody);
    await assert.rejects(openid.refreshTokenGrant(config, tokens.refresh_token ?? ''), openid.ResponseBodyError);
  });
});
