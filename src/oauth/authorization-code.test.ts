import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import { openBrowser } from './test-browser.ts';
import { authorize, basic, CALLBACK, discover, exchange, insecure, post } from './test-flows.ts';
import { startTestServer, type TestServer, VAULT, WIDGETS } from './test-server.ts';

describe('authorization code', () => {
  let at: TestServer;
  let metadata: oauth.AuthorizationServer;
  const gone = new Set<string>();
  before(async () => {
    const claimsOf = (id: string) => Promise.resolve(gone.has(id) ? undefined : { name: `User ${id}` });
    at = await startTestServer({ accounts: { claimsOf } });
    metadata = await discover(at);
  });
  after(() => at.close());

  async function webClient() {
    const { id, secret } = await at.register({ name: 'Web app', redirect_uris: [CALLBACK] });
    return { id, secret, client: { client_id: id }, auth: oauth.ClientSecretBasic(secret) };
  }

  async function login(app: Awaited<ReturnType<typeof webClient>>, scope = 'openid widgets:read') {
    const authorized = await authorize(at, { clientId: app.id, scope });
    const tokens = await exchange({ ...authorized, metadata, client: app.client, auth: app.auth });
    return { ...authorized, tokens };
  }

  function refresh(app: Awaited<ReturnType<typeof webClient>>, token: string) {
    return post(`${at.issuer}/token`, { grant_type: 'refresh_token', refresh_token: token }, basic(app));
  }

  test('gives a token for the API, an ID token and a refresh token', async () => {
    const app = await webClient();
    const { tokens } = await login(app);
    const keys = createRemoteJWKSet(new URL(`${at.issuer}/jwks`));
    const { payload, protectedHeader } = await jwtVerify(tokens.access_token, keys, {
      issuer: at.issuer,
      audience: WIDGETS.audience,
      typ: 'at+jwt',
    });
    assert.equal(protectedHeader.alg, 'RS256');
    assert.equal(payload.sub, 'ada');
    assert.equal(payload['client_id'], app.id);
    assert.equal(payload['scope'], 'widgets:read');
    assert.equal(typeof payload.jti, 'string');
    assert.equal(typeof payload['grant_id'], 'string');
    assert.equal(oauth.getValidatedIdTokenClaims(tokens)?.sub, 'ada');
    assert.equal(typeof tokens.refresh_token, 'string');
    assert.deepEqual(at.faults, []);
  });

  test('an ID token is no access token', async () => {
    const app = await webClient();
    const { tokens } = await login(app);
    const { body } = await post(`${at.issuer}/introspect`, { token: String(tokens.id_token) }, basic(app));
    assert.deepEqual(body, { active: false });
  });

  test('attack 42: a request without PKCE, or with plain, comes back refused', async () => {
    const app = await webClient();
    for (const parameters of [
      { code_challenge: '', code_challenge_method: '' },
      { code_challenge_method: 'plain' },
      { code_challenge_method: '' },
    ]) {
      const { visit } = await authorize(at, { clientId: app.id, parameters });
      assert.equal(visit.away?.searchParams.get('error'), 'invalid_request', JSON.stringify(parameters));
      assert.equal(visit.away.searchParams.get('code'), null);
      assert.equal(visit.away.searchParams.get('iss'), at.issuer);
    }
  });

  test('attack 42: a code with the wrong verifier, or used twice, gives nothing, and the second use ends the family', async () => {
    const app = await webClient();
    const wrong = await authorize(at, { clientId: app.id });
    const code = String(wrong.visit.away?.searchParams.get('code'));
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK };
    const refused = await post(
      `${at.issuer}/token`,
      { ...form, code_verifier: oauth.generateRandomCodeVerifier() },
      basic(app),
    );
    assert.equal(refused.body['error'], 'invalid_grant');

    const first = await post(`${at.issuer}/token`, { ...form, code_verifier: wrong.verifier }, basic(app));
    assert.equal(first.status, 200);
    const second = await post(`${at.issuer}/token`, { ...form, code_verifier: wrong.verifier }, basic(app));
    assert.equal(second.body['error'], 'invalid_grant');
    assert.deepEqual(await activity(app, String(first.body['access_token'])), { active: false });
    assert.equal((await refresh(app, String(first.body['refresh_token']))).body['error'], 'invalid_grant');
    assert.deepEqual(await auditTypes(`grant:${grantOf(first.body['access_token'])}`), [
      'grant.revoked',
      'grant.reuse-detected',
    ]);
  });

  test('a refresh token is used once; the one before it ends the family, its access tokens included', async () => {
    const app = await webClient();
    const { tokens } = await login(app);
    const second = await refresh(app, String(tokens.refresh_token));
    assert.equal(second.status, 200);
    assert.notEqual(second.body['refresh_token'], tokens.refresh_token);
    assert.equal((await activity(app, String(second.body['access_token'])))['active'], true);
    const third = await refresh(app, String(second.body['refresh_token']));
    assert.equal(third.status, 200);

    assert.equal((await refresh(app, String(second.body['refresh_token']))).body['error'], 'invalid_grant');
    assert.equal((await refresh(app, String(third.body['refresh_token']))).body['error'], 'invalid_grant');
    assert.deepEqual(await activity(app, String(third.body['access_token'])), { active: false });
    assert.deepEqual(await auditTypes(`grant:${grantOf(tokens.access_token)}`), [
      'grant.revoked',
      'grant.reuse-detected',
    ]);
  });

  test('a pushed request stands for its parameters, once', async () => {
    const app = await webClient();
    const verifier = oauth.generateRandomCodeVerifier();
    const pushed = await oauth.pushedAuthorizationRequest(
      metadata,
      app.client,
      app.auth,
      {
        client_id: app.id,
        redirect_uri: CALLBACK,
        response_type: 'code',
        scope: 'widgets:write',
        state: 'the-state',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      },
      insecure,
    );
    const { request_uri: uri } = await oauth.processPushedAuthorizationResponse(metadata, app.client, pushed);
    const url = `${at.issuer}/authorize?${new URLSearchParams({ client_id: app.id, request_uri: uri })}`;
    const visit = await openBrowser(at.issuer).visit(url);
    const tokens = await exchange({ visit, verifier, metadata, client: app.client, auth: app.auth });
    assert.equal(tokens.scope, 'widgets:write');
    const again = await openBrowser(at.issuer).visit(url);
    assert.equal(again.away, undefined);
    assert.match(again.body, /error invalid_request_uri|error invalid_request/);
  });

  test('the resource that is named is the audience; one that does not exist is refused', async () => {
    const app = await webClient();
    const authorized = await authorize(at, {
      clientId: app.id,
      scope: 'vault:open',
      parameters: { resource: VAULT.audience },
    });
    const tokens = await exchange({ ...authorized, metadata, client: app.client, auth: app.auth });
    assert.equal((await activity(app, tokens.access_token))['aud'], VAULT.audience);

    const unknown = await authorize(at, { clientId: app.id, parameters: { resource: 'https://elsewhere.example' } });
    assert.equal(unknown.visit.away?.searchParams.get('error'), 'invalid_target');
  });

  test('attack 43: only the registered redirect URI is sent to, compared whole', async () => {
    const app = await webClient();
    for (const redirectUri of [
      `${CALLBACK}/../evil`,
      `${CALLBACK}.evil.example`,
      'https://app.example.com.evil.example/callback',
      'https://app.example.com/callback?x=1',
      'https://APP.example.com/callback',
      'https://app.example.com@evil.example/callback',
      'http://app.example.com/callback',
      'javascript:alert(1)',
      '//evil.example',
      'https://app.example.com/callback#x',
    ]) {
      const { visit } = await authorize(at, { clientId: app.id, redirectUri });
      assert.equal(visit.away, undefined, redirectUri);
      assert.equal(visit.status, 400, redirectUri);
    }
  });

  test('the port of a loopback address is free for applications on the device, and only theirs', async () => {
    const { id } = await at.register({ name: 'CLI', redirect_uris: ['http://127.0.0.1/callback'] });
    const other = 'http://127.0.0.1:50123/callback';
    const authorized = await authorize(at, { clientId: id, redirectUri: other });
    const tokens = await exchange({
      ...authorized,
      metadata,
      client: { client_id: id },
      auth: oauth.None(),
      redirectUri: other,
    });
    assert.equal(tokens.token_type, 'bearer');
    const elsewhere = await authorize(at, { clientId: id, redirectUri: 'http://127.0.0.1:50123/evil' });
    assert.equal(elsewhere.visit.status, 400);
  });

  test('a grant that is taken back ends its tokens', async () => {
    const app = await webClient();
    const { tokens } = await login(app);
    const [grant, ...others] = (await at.server.grants.listOf('ada')).filter(({ clientId }) => clientId === app.id);
    assert.ok(grant);
    assert.deepEqual(others, []);
    assert.deepEqual(grant.resources, { [WIDGETS.audience]: ['widgets:read'] });
    assert.equal(await at.server.grants.revoke('grace', grant.id, 'user:grace'), false);
    assert.equal(await at.server.grants.revoke('ada', grant.id, 'user:ada'), true);
    assert.deepEqual(await activity(app, tokens.access_token), { active: false });
    assert.equal((await refresh(app, String(tokens.refresh_token))).body['error'], 'invalid_grant');
  });

  test('all that a client got ends at once', async () => {
    const app = await webClient();
    const { tokens } = await login(app);
    assert.equal(await at.server.revocation.everythingOf({ clientId: app.id }, 'admin:root'), 1);
    assert.deepEqual(await activity(app, tokens.access_token), { active: false });
    assert.deepEqual(await auditTypes(`grant:${grantOf(tokens.access_token)}`), ['grant.revoked']);
  });

  test('the tokens of a person who is gone open nothing, and are not refreshed', async () => {
    const app = await webClient();
    const { tokens } = await login(app);
    gone.add('ada');
    try {
      assert.deepEqual(await activity(app, tokens.access_token), { active: false });
      assert.equal((await refresh(app, String(tokens.refresh_token))).body['error'], 'invalid_grant');
    } finally {
      gone.delete('ada');
    }
    assert.equal((await activity(app, tokens.access_token))['active'], true);
  });

  test('signing out ends the session and the grants it gave', async () => {
    const app = await webClient();
    const browser = openBrowser(at.issuer);
    const authorized = await authorize(at, { clientId: app.id, scope: 'openid widgets:read', browser });
    const tokens = await exchange({ ...authorized, metadata, client: app.client, auth: app.auth });
    const asked = await browser.visit(`${at.issuer}/logout?id_token_hint=${tokens.id_token}`);
    const { form } = JSON.parse(asked.body) as { form: { action: string; fields: Record<string, string> } };
    const done = await browser.visit(form.action, { ...form.fields, logout: 'yes' });
    assert.equal(done.body, 'signed out');
    assert.deepEqual(await activity(app, tokens.access_token), { active: false });
  });

  test('the form of a sign-out may lead on to a native app that listens at an IPv6 address', async () => {
    const post_logout_redirect_uris = ['http://[::1]:41000/bye'];
    const app = await at.register({
      name: 'Native',
      redirect_uris: [CALLBACK],
      token_endpoint_auth_method: 'none',
      post_logout_redirect_uris,
    });
    const browser = openBrowser(at.issuer);
    await authorize(at, { clientId: app.id, browser });
    const query = new URLSearchParams({
      client_id: app.id,
      post_logout_redirect_uri: String(post_logout_redirect_uris[0]),
    });
    const { body } = await browser.visit(`${at.issuer}/logout?${query}`);
    // CSP has no notation for such an address.
    assert.equal((JSON.parse(body) as { redirectOrigin?: string }).redirectOrigin, 'http:');
  });

  async function activity(app: { id: string; secret: string }, token: string): Promise<Record<string, unknown>> {
    return (await post(`${at.issuer}/introspect`, { token }, basic(app))).body;
  }

  function grantOf(token: unknown): string {
    return String(decodeJwt(String(token))['grant_id']);
  }

  async function auditTypes(subject: string): Promise<readonly string[]> {
    const { items } = await at.records.audit.list({ subject }, { limit: 10 });
    return items.map(({ type }) => type);
  }
});
