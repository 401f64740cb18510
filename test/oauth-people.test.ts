import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, customFetch as joseFetch, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { formsOf, type PageVisit, type Visitor } from '../src/oauth/accounts/test-visitor.ts';
import { type AppServer, startAppServer } from './support/oauth-app-server.ts';
import {
  bearer,
  type ClientFacts,
  type LowLevelClient,
  refusedSoon,
  statusAt,
  withOauth4webapi,
  withOpenidClient,
} from './support/oauth-client.ts';
import type { TlsFetch } from './support/oauth-fetch.ts';
import { ADA, CALLBACK, type OauthGateway, startOauthGateway } from './support/oauth-gateway.ts';
import { confirm, fill, goThrough, isConsent, isSignIn } from './support/oauth-pages.ts';
import { until } from './support/until.ts';

const SECRET = 'a-secret-of-forty-characters-for-a-test!';
const BYE = 'https://app.example.com/bye';

describe('people at the authorization server, by discovery alone over TLS and without scripts', {
  timeout: 90_000,
}, () => {
  let at: OauthGateway;
  let app: AppServer;
  let anybody: TlsFetch['fetch'];

  before(async () => {
    at = await startOauthGateway(async ({ partners }) => {
      app = await startAppServer(await partners.issue('localhost'), (_request, response) => response.end());
      const scopes = ['profile', 'widgets:read', 'vault:open'];
      const web = { secret: SECRET, redirectUris: [CALLBACK], postLogoutRedirectUris: [BYE], scopes };
      return {
        clients: [
          { id: 'web', name: 'Widget Board', ...web },
          { id: 'signing-out', ...web, backchannelLogoutUri: `${app.url}/backchannel` },
          { id: 'other', ...web },
          { id: 'spa', redirectUris: ['https://spa.example.com/callback'], scopes },
          { id: 'tv', name: 'Television', grants: ['device_code', 'refresh_token'], scopes },
        ],
        server: { privateNetworks: ['127.0.0.0/8', '::1/128'] },
      };
    });
    anybody = at.fetchAs();
  });
  after(async () => {
    await at?.stop();
    await app?.close();
  });

  const confidential = (id: string): ClientFacts => ({
    id,
    auth: oauth.ClientSecretBasic(SECRET),
    fetch: anybody,
  });
  const sameWithOpenidClient = (id: string, metadata?: Partial<openid.ClientMetadata>) =>
    withOpenidClient(at, { id, auth: openid.ClientSecretBasic(SECRET), fetch: anybody, ...(metadata && { metadata }) });

  /** A whole sign-in with oauth4webapi, through PAR. */
  async function signIn(who: LowLevelClient, visitor: Visitor, scope = 'openid widgets:read') {
    const { as, client, auth, http } = who;
    const verifier = oauth.generateRandomCodeVerifier();
    const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
    const parameters = {
      redirect_uri: CALLBACK,
      response_type: 'code',
      scope,
      resource: at.widgets,
      state,
      nonce,
      max_age: '600',
      ...(scope.includes('offline_access') ? { prompt: 'consent' } : {}),
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    };
    const pushed = await oauth.pushedAuthorizationRequest(as, client, auth, parameters, http);
    const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, pushed);
    const start = new URL(as.authorization_endpoint ?? '');
    start.search = new URLSearchParams({ client_id: client.client_id, request_uri }).toString();
    const back = await goThrough(visitor, start);
    const answer = oauth.validateAuthResponse(as, client, back, state); // `iss` too (RFC 9207)
    const sent = await oauth.authorizationCodeGrantRequest(as, client, auth, answer, CALLBACK, verifier, http);
    const expected = { expectedNonce: nonce, maxAge: 600, requireIdToken: true };
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, sent, expected);
    await oauth.validateApplicationLevelSignature(as, sent, http);
    return { start, back, tokens, idToken: oauth.getValidatedIdTokenClaims(tokens) };
  }

  async function refresh({ as, client, auth, http }: LowLevelClient, token: string | undefined) {
    const sent = await oauth.refreshTokenGrantRequest(as, client, auth, token ?? '', http);
    return await oauth.processRefreshTokenResponse(as, client, sent);
  }

  test('sign in and consent on pages, and the app gets its tokens (PAR, PKCE, iss, nonce)', async () => {
    const who = await withOauth4webapi(at, confidential('web'));
    const visitor = at.browse();
    const { start, back, tokens, idToken } = await signIn(who, visitor, 'openid profile widgets:read');
    assert.equal(back.searchParams.get('iss'), at.issuer);
    assert.equal(tokens.scope, 'widgets:read', 'of the access token; what concerns the person is in the ID token');
    assert.equal(idToken?.['preferred_username'] ?? idToken?.['name'], ADA.username);
    assert.equal(await statusAt(at.widgets, bearer(tokens.access_token), anybody), 200);
    assert.equal(await statusAt(at.vault, bearer(tokens.access_token), anybody), 401);
    assert.equal(await statusAt(at.widgets, bearer(tokens.id_token ?? ''), anybody), 401, 'an ID token opens no API');
    assert.equal(decodeJwt(tokens.access_token).sub, idToken?.sub);

    const again = await visitor.get(start.href);
    assert.equal(again.away, undefined, 'a pushed request counts once');
    assert.equal(again.status, 400);
  });

  test('sign in with openid-client, whose userinfo they open', async () => {
    const config = await sameWithOpenidClient('web');
    for (const pushed of [false, true]) {
      const verifier = openid.randomPKCECodeVerifier();
      const [state, nonce] = [openid.randomState(), openid.randomNonce()];
      const parameters = {
        redirect_uri: CALLBACK,
        scope: 'openid profile',
        state,
        nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      };
      const url = pushed
        ? await openid.buildAuthorizationUrlWithPAR(config, parameters)
        : openid.buildAuthorizationUrl(config, parameters);
      const back = await goThrough(at.browse(), url);
      const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce };
      const tokens = await openid.authorizationCodeGrant(config, back, checks);
      const subject = tokens.claims()?.sub ?? '';
      const { sub, preferred_username: name } = await openid.fetchUserInfo(config, tokens.access_token, subject);
      assert.deepEqual([sub, name], [subject, ADA.username]);
      assert.equal(await statusAt(at.widgets, bearer(tokens.access_token), anybody), 401, 'it is for userinfo alone');
    }
  });

  test('are asked once: afterwards an app gets its answer without a page, and none where a page is due', async () => {
    const config = await sameWithOpenidClient('web');
    const visitor = at.browse();
    const ask = async (more: Record<string, string>) => {
      const challenge = await openid.calculatePKCECodeChallenge(openid.randomPKCECodeVerifier());
      const fixed = { redirect_uri: CALLBACK, code_challenge: challenge, code_challenge_method: 'S256', state: 's' };
      const url = openid.buildAuthorizationUrl(config, { ...fixed, scope: 'openid', ...more });
      return await visitor.get(url.href);
    };
    const errorOf = async (more: Record<string, string>) => (await ask(more)).away?.searchParams.get('error');
    assert.equal(await errorOf({ prompt: 'none' }), 'login_required');
    const page = await ask({});
    assert.ok(isSignIn(page));
    const consent = await visitor.submit(page, 'password', ADA);
    assert.ok(isConsent(consent));
    assert.match(consent.body, /Widget Board/);
    await visitor.submit(consent, 'allow');
    assert.ok((await ask({ prompt: 'none' })).away?.searchParams.has('code'));
    const more = { scope: 'openid vault:open', resource: at.vault };
    assert.equal(await errorOf({ prompt: 'none', ...more }), 'consent_required');
    const further = await ask(more);
    assert.ok(isConsent(further));
    assert.match(further.body, /Open it/);
    const { away } = await visitor.submit(further, 'deny');
    assert.deepEqual(
      ['error', 'state', 'iss', 'code'].map((name) => away?.searchParams.get(name)),
      ['access_denied', 's', at.issuer, null],
    );
    assert.equal(await errorOf({ prompt: 'none', ...more }), 'consent_required');
    assert.ok(isSignIn(await ask({ prompt: 'login' })));
  });

  test('refresh tokens rotate; one that is used twice ends its family, at the API too', async () => {
    const who = await withOauth4webapi(at, confidential('web'));
    const first = await signIn(who, at.browse(), 'openid offline_access widgets:read');
    const second = await refresh(who, first.tokens.refresh_token);
    const third = await refresh(who, second.refresh_token);
    assert.equal(new Set([first.tokens, second, third].map((tokens) => tokens.refresh_token)).size, 3);
    const given = [first.tokens, second, third].map((tokens) => tokens.access_token);
    for (const token of given) assert.equal(await statusAt(at.widgets, bearer(token), anybody), 200);

    await assert.rejects(refresh(who, first.tokens.refresh_token), isInvalidGrant);
    await assert.rejects(refresh(who, third.refresh_token), isInvalidGrant, 'the newest one ends with the family');
    for (const token of given) await refusedSoon(at.widgets, token, anybody);
  });

  test('a refresh token that is revoked takes its access tokens along', async () => {
    const who = await withOauth4webapi(at, confidential('web'));
    const { tokens } = await signIn(who, at.browse(), 'openid offline_access widgets:read');
    const another = await withOauth4webapi(at, confidential('other'));
    await assert.rejects(refresh(another, tokens.refresh_token), isInvalidGrant, 'another client');
    const { as, client, auth, http } = who;
    const sent = await oauth.revocationRequest(as, client, auth, tokens.refresh_token ?? '', http);
    await oauth.processRevocationResponse(sent);
    await assert.rejects(refresh(who, tokens.refresh_token), isInvalidGrant);
    await refusedSoon(at.widgets, tokens.access_token, anybody);
  });

  test('an app without a secret proves itself by PKCE, and its refresh tokens are bound to its DPoP key', async () => {
    const redirect_uri = 'https://spa.example.com/callback';
    const config = await withOpenidClient(at, { id: 'spa', fetch: anybody });
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
    const verifier = openid.randomPKCECodeVerifier();
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri,
      scope: 'openid offline_access widgets:read',
      resource: at.widgets,
      prompt: 'consent',
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const back = await goThrough(at.browse(), url);
    const checks = { pkceCodeVerifier: verifier };
    const tokens = await openid.authorizationCodeGrant(config, back, checks, undefined, { DPoP });
    assert.equal(tokens.token_type, 'dpop');
    const call = (token: string, options: openid.DPoPOptions) =>
      openid.fetchProtectedResource(config, token, new URL(at.widgets), 'GET', undefined, undefined, options);
    assert.equal((await call(tokens.access_token, { DPoP })).status, 200);
    await assert.rejects(call(tokens.access_token, {}), openid.WWWAuthenticateChallengeError);

    const thief = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
    const token = tokens.refresh_token ?? '';
    await assert.rejects(openid.refreshTokenGrant(config, token, undefined, { DPoP: thief }), openid.ResponseBodyError);
    const next = await openid.refreshTokenGrant(config, token, undefined, { DPoP });
    assert.equal((await call(next.access_token, { DPoP })).status, 200);

    const fromPage = { method: 'POST', body: new URLSearchParams({ client_id: 'spa' }) };
    const allowed = async (origin: string) => {
      const reply = await anybody(`${at.issuer}/token`, { ...fromPage, headers: { Origin: origin } });
      return reply.headers.get('access-control-allow-origin');
    };
    assert.equal(await allowed('https://spa.example.com'), 'https://spa.example.com');
    assert.equal(await allowed('https://evil.example.com'), null);
  });

  test('can have the answer posted to the app instead', async () => {
    const config = await sameWithOpenidClient('web');
    const verifier = openid.randomPKCECodeVerifier();
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid',
      response_mode: 'form_post',
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const visitor = at.browse();
    let page = await visitor.submit(await visitor.get(url.href), 'password', ADA);
    if (isConsent(page)) page = await visitor.submit(page, 'allow');
    assertScriptAllowed(page);
    const [form] = formsOf(page);
    assert.equal(form?.action, CALLBACK);
    const posted = new Request(CALLBACK, { method: 'POST', body: new URLSearchParams(form.fields) });
    const tokens = await openid.authorizationCodeGrant(config, posted, { pkceCodeVerifier: verifier });
    assert.equal(typeof tokens.claims()?.sub, 'string');
  });

  describe('connect a device (RFC 8628)', () => {
    async function television() {
      const who = await withOauth4webapi(at, { id: 'tv', fetch: anybody });
      const { as, client, auth, http } = who;
      const wants = { scope: 'widgets:read offline_access', resource: at.widgets };
      const sent = await oauth.deviceAuthorizationRequest(as, client, auth, wants, http);
      const device = await oauth.processDeviceAuthorizationResponse(as, client, sent);
      const poll = async () => {
        const answer = await oauth.deviceCodeGrantRequest(as, client, auth, device.device_code, http);
        return await oauth.processDeviceCodeResponse(as, client, answer);
      };
      return { who, device, poll };
    }
    const isPending = ({ error }: oauth.ResponseBodyError) => error === 'authorization_pending';

    test('by its code, typed on a page', async () => {
      const { who, device, poll } = await television();
      assert.ok(device.verification_uri.startsWith(`${at.issuer}/`));
      await assert.rejects(poll(), isPending);
      const visitor = at.browse();
      const typed = await fill(visitor, await visitor.get(device.verification_uri), { user_code: 'AAAA-AAAA' });
      assert.match(typed.body, /There is no such code/);
      const asked = await fill(visitor, typed, { user_code: device.user_code.toLowerCase() });
      assert.match(asked.body, /Television/);
      assert.ok(asked.body.includes(device.user_code));
      const page = await confirm(visitor, asked, 'abort');
      assert.ok(isSignIn(page), page.body);
      const consent = await visitor.submit(page, 'password', ADA);
      assert.ok(isConsent(consent), consent.body);
      await assert.rejects(poll(), isPending);
      const done = await visitor.submit(consent, 'allow');
      assert.match(done.body, /Device connected/);

      const tokens = await poll();
      assert.equal(await statusAt(at.widgets, bearer(tokens.access_token), anybody), 200);
      const next = await refresh(who, tokens.refresh_token);
      assert.equal(await statusAt(at.widgets, bearer(next.access_token), anybody), 200);
      await assert.rejects(poll(), isInvalidGrant, 'a device code counts once');
      await refusedSoon(at.widgets, next.access_token, anybody);
    });

    test('or refuse it', async () => {
      const config = await withOpenidClient(at, { id: 'tv', fetch: anybody });
      const device = await openid.initiateDeviceAuthorization(config, { scope: 'vault:open', resource: at.vault });
      const visitor = at.browse();
      const opened = await visitor.get(device.verification_uri_complete ?? '');
      assertScriptAllowed(opened);
      const asked = await confirm(visitor, opened, 'user_code'); // which its script would have done
      assert.ok(asked.body.includes(device.user_code));
      const refused = await fill(visitor, asked, { abort: 'yes' });
      assert.match(refused.body, /The device was refused/);
      const polling = { ...device, interval: 0.01 };
      await assert.rejects(
        openid.pollDeviceAuthorizationGrant(config, polling),
        ({ error }: openid.ResponseBodyError) => error === 'access_denied',
      );
    });
  });

  test('sign out from an app: the session is over, other apps are told, and its tokens end', async () => {
    const visitor = at.browse();
    const who = await withOauth4webapi(at, confidential('signing-out'));
    const { tokens, idToken } = await signIn(who, visitor);
    assert.equal(await statusAt(at.widgets, bearer(tokens.access_token), anybody), 200);

    // From another app that the same person uses in the same browser.
    const config = await sameWithOpenidClient('web');
    const other = await signIn(await withOauth4webapi(at, confidential('web')), visitor);
    const hint = { id_token_hint: other.tokens.id_token ?? '' };
    const evil = openid.buildEndSessionUrl(config, { ...hint, post_logout_redirect_uri: `${BYE}/../evil` });
    const refused = await visitor.get(evil.href);
    assert.deepEqual([refused.status, refused.away], [400, undefined]);
    const url = openid.buildEndSessionUrl(config, { ...hint, post_logout_redirect_uri: BYE, state: 'gone' });
    const page = await visitor.get(url.href);
    assert.match(page.body, /Sign out\?/);
    assert.deepEqual(app.seen, [], 'asking is not signing out');
    const done = await fill(visitor, page, { logout: 'yes' });
    assert.equal(done.away?.href, `${BYE}?state=gone`);

    const told = await until('the app to be told', () => app.seen.find(({ path }) => path === '/backchannel'));
    const token = new URLSearchParams(told.body).get('logout_token') ?? '';
    const keys = createRemoteJWKSet(new URL(who.as.jwks_uri ?? ''), { [joseFetch]: (url, o) => anybody(url, o) });
    const { payload } = await jwtVerify(token, keys, { issuer: at.issuer, audience: 'signing-out', typ: 'logout+jwt' });
    assert.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} });
    assert.deepEqual([payload.sub, payload['sid']], [idToken?.sub, idToken?.['sid']]);
    assert.ok(!('nonce' in payload) && typeof payload.jti === 'string');

    await assert.rejects(refresh(who, tokens.refresh_token), isInvalidGrant);
    await refusedSoon(at.widgets, tokens.access_token, anybody);
    const silent = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid',
      prompt: 'none',
      code_challenge: await openid.calculatePKCECodeChallenge(openid.randomPKCECodeVerifier()),
      code_challenge_method: 'S256',
    });
    assert.equal((await visitor.get(silent.href)).away?.searchParams.get('error'), 'login_required');
  });

  test('cookies of the pages are out of reach of scripts, of plain text and of siblings', async () => {
    const visitor = at.browse();
    const config = await sameWithOpenidClient('web');
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid',
      code_challenge: await openid.calculatePKCECodeChallenge(openid.randomPKCECodeVerifier()),
      code_challenge_method: 'S256',
    });
    const page = await visitor.get(url.href);
    const consent = await visitor.submit(page, 'password', ADA);
    const set = [...page.setCookies, ...consent.setCookies];
    assert.ok(set.some((field) => field.startsWith('__Host-')));
    for (const field of set) {
      assert.match(field, /^__(Host|Secure)-/);
      for (const attribute of [/; secure/i, /; httponly/i, /; samesite=(lax|strict)/i]) assert.match(field, attribute);
    }
    for (const { headers } of [page, consent])
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/);
  });
});

/** A page of this kind has one script, and the policy lets it run and nothing else. */
function assertScriptAllowed(page: PageVisit): void {
  const [, script = ''] = /<script>(.*?)<\/script>/s.exec(page.body) ?? [];
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.ok(policy.includes(`script-src 'sha256-${hash('sha256', script, 'base64')}';`), policy);
}

function isInvalidGrant(error: unknown): boolean {
  return error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant';
}
