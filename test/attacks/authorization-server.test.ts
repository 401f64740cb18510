import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { PageVisit, Visitor } from '../../src/oauth/accounts/test-visitor.ts';
import { bearer, refusedSoon, statusAt } from '../support/oauth-client.ts';
import type { TlsFetch } from '../support/oauth-fetch.ts';
import { ADA, CALLBACK, type OauthGateway, startOauthGateway } from '../support/oauth-gateway.ts';
import { goThrough, isConsent } from '../support/oauth-pages.ts';

const SECRET = 'a-secret-of-forty-characters-for-a-test!';
const MOST_CLIENTS = 6;
const MOST_PER_ADDRESS = 4;

type Fields = Readonly<Record<string, string>>;

describe('attacks on the authorization server, through the gateway', { timeout: 90_000 }, () => {
  let at: OauthGateway;
  let anybody: TlsFetch['fetch'];

  before(async () => {
    at = await startOauthGateway(({ origin }) => {
      const scopes = ['widgets:read'];
      return {
        clients: [
          { id: 'web', secret: SECRET, redirectUris: [CALLBACK], postLogoutRedirectUris: [CALLBACK], scopes },
          { id: 'native', redirectUris: ['http://127.0.0.1/callback'], scopes },
          { id: 'login', secret: SECRET, redirectUris: [`${origin}/.auth/callback`], scopes },
        ],
        server: {
          registration: { access: 'open', maxClients: MOST_CLIENTS, perAddress: MOST_PER_ADDRESS },
        },
        alternatives: [{ login: { use: 'app' } }],
        more: {
          logins: {
            app: {
              clientId: 'login',
              clientSecret: SECRET,
              scopes: ['openid', 'widgets:read'],
              resource: `${origin}/widgets`,
            },
          },
        },
      };
    });
    anybody = at.fetchAs();
  });
  after(() => at?.stop());

  const verifier = randomBytes(32).toString('base64url');

  /** The URL of an honest request, with something changed; an empty value leaves a parameter out. */
  function authorizeUrl(change: Fields = {}): URL {
    const url = new URL(`${at.issuer}/authorize`);
    const honest: Fields = {
      client_id: 'web',
      redirect_uri: CALLBACK,
      response_type: 'code',
      scope: 'openid offline_access widgets:read',
      prompt: 'consent',
      resource: at.widgets,
      state: 'the-state',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries({ ...honest, ...change })) {
      if (value !== '') url.searchParams.set(name, value);
    }
    return url;
  }

  async function post(path: string, form: Fields) {
    const reply = await anybody(`${at.issuer}${path}`, {
      method: 'POST',
      headers: { Authorization: `Basic ${Buffer.from(`web:${encodeURIComponent(SECRET)}`).toString('base64')}` },
      body: new URLSearchParams(form),
    });
    // The endpoints answer with JSON objects.
    return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
  }

  const redeem = (code: string, change: Fields = {}) =>
    post('/token', {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
      ...change,
    });
  const codeOf = async (visitor: Visitor = at.browse()) =>
    (await goThrough(visitor, authorizeUrl())).searchParams.get('code') ?? '';

  describe('42: PKCE and codes', () => {
    const withoutProof: readonly Fields[] = [
      { code_challenge: '', code_challenge_method: '' },
      { code_challenge_method: 'plain' },
      { code_challenge_method: '' },
      { code_challenge_method: 's256' },
      { code_challenge: 'short' },
    ];

    test('a request without PKCE, or with plain, is refused before anybody is asked', async () => {
      for (const change of withoutProof) {
        for (const who of [{}, { client_id: 'native', redirect_uri: 'http://127.0.0.1:4567/callback' }]) {
          const { away } = await at.browse().get(authorizeUrl({ ...change, ...who }).href);
          assert.equal(away?.searchParams.get('error'), 'invalid_request', JSON.stringify(change));
          assert.equal(away.searchParams.get('code'), null);
        }
      }
    });

    test('the same where it is pushed', async () => {
      for (const change of withoutProof) {
        const { status, body } = await post('/par', Object.fromEntries(authorizeUrl(change).searchParams));
        assert.deepEqual([status, body['error']], [400, 'invalid_request'], JSON.stringify(change));
      }
    });

    test('a code is worth nothing with another verifier, redirect URI or client', async () => {
      const other = randomBytes(32).toString('base64url');
      for (const change of [
        { code_verifier: other },
        { code_verifier: '' },
        { redirect_uri: `${CALLBACK}/` },
        { redirect_uri: '' },
      ] satisfies Fields[]) {
        const form = Object.entries(change).filter(([, value]) => value !== '');
        const left = Object.fromEntries(form);
        const dropped = Object.fromEntries(Object.keys(change).map((name) => [name, '']));
        const { status, body } = await redeem(await codeOf(), { ...dropped, ...left });
        assert.equal(status, 400, JSON.stringify(change));
        assert.match(String(body['error']), /^invalid_(grant|request)$/);
      }
      const stolen = await anybody(`${at.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          client_id: 'native',
          code: await codeOf(),
          redirect_uri: CALLBACK,
          code_verifier: verifier,
        }),
      });
      assert.equal(stolen.status, 400);
      assert.match(await stolen.text(), /"invalid_grant"/);
    });

    test('a code that is used twice takes everything back that it gave', async () => {
      const code = await codeOf();
      const { status, body } = await redeem(code);
      assert.equal(status, 200, JSON.stringify(body));
      const token = String(body['access_token']);
      assert.equal(await statusAt(at.widgets, bearer(token), anybody), 200);
      const again = await redeem(code);
      assert.deepEqual([again.status, again.body['error']], [400, 'invalid_grant']);
      const refreshed = await post('/token', {
        grant_type: 'refresh_token',
        refresh_token: String(body['refresh_token']),
      });
      assert.deepEqual([refreshed.status, refreshed.body['error']], [400, 'invalid_grant']);
      await refusedSoon(at.widgets, token, anybody);
    });

    test('of five who use a code at once one wins at most, and keeps nothing', async () => {
      const code = await codeOf();
      const answers = await Promise.all(Array.from({ length: 5 }, () => redeem(code)));
      const won = answers.filter(({ status }) => status === 200);
      assert.ok(won.length <= 1, `${won.length} won`);
      for (const { body } of won) await refusedSoon(at.widgets, String(body['access_token']), anybody);
    });
  });

  describe('43: redirect URIs', () => {
    const tricks = [
      'javascript:alert(document.domain)',
      'data:text/html,evil',
      'https://app.example.com.evil.example/callback',
      'https://evilapp.example.com/callback',
      'https://app.example.com@evil.example/callback',
      'https://app.example.com\\@evil.example/callback',
      'https://evil.example\\.app.example.com/callback',
      'https://app.example.com:8443/callback',
      'http://app.example.com/callback',
      'https://app.example.com./callback',
      'HTTPS://APP.EXAMPLE.COM/callback',
      `${CALLBACK}/`,
      `${CALLBACK}/../evil`,
      `${CALLBACK}/..%2fevil`,
      `${CALLBACK}%2e%2e/evil`,
      `${CALLBACK}?next=https://evil.example`,
      `${CALLBACK}#fragment`,
      `${CALLBACK} `,
      `${CALLBACK}\r\nLocation: https://evil.example`,
      'https://app.example.com/*',
      '//evil.example/callback',
      '/callback',
      'null',
    ];

    test('are compared as a whole: whatever is not registered is never sent anywhere', async () => {
      for (const redirect_uri of tricks) {
        const page = await at.browse().get(authorizeUrl({ redirect_uri }).href);
        assertStays(page, redirect_uri);
      }
      const twice = authorizeUrl();
      twice.searchParams.append('redirect_uri', 'https://evil.example/');
      assertStays(await at.browse().get(twice.href), 'two of them');
      assertStays(await at.browse().get(authorizeUrl({ redirect_uri: '' }).href), 'none');
    });

    test('of native apps may differ in the port of loopback alone (RFC 8252 §7.3)', async () => {
      const native = { client_id: 'native', prompt: 'none', scope: 'openid' };
      const { away } = await at
        .browse()
        .get(authorizeUrl({ ...native, redirect_uri: 'http://127.0.0.1:4567/callback' }).href);
      assert.equal(away?.searchParams.get('error'), 'login_required');
      for (const redirect_uri of [
        'http://127.0.0.1:4567/callback/evil',
        'http://127.0.0.2:4567/callback',
        'http://localhost:4567/callback',
        'http://127.0.0.1.evil.example/callback',
        'https://127.0.0.1:4567/callback',
      ])
        assertStays(await at.browse().get(authorizeUrl({ ...native, redirect_uri }).href), redirect_uri);
    });

    test('pushed, they are refused as well', async () => {
      for (const redirect_uri of tricks) {
        const { status, body } = await post('/par', Object.fromEntries(authorizeUrl({ redirect_uri }).searchParams));
        assert.equal(status, 400, redirect_uri);
        assert.equal(body['request_uri'], undefined);
      }
    });

    test('after signing out, too', async () => {
      for (const uri of tricks) {
        const url = new URL(`${at.issuer}/logout`);
        url.search = new URLSearchParams({ client_id: 'web', post_logout_redirect_uri: uri }).toString();
        assertStays(await at.browse().get(url.href), uri);
      }
    });

    test('and nobody registers one that could lead astray', async () => {
      for (const uri of [
        'javascript:alert(1)',
        'data:text/html,evil',
        'vbscript:evil',
        'https://*.example.com/callback',
        'http://app.example.com/callback',
        'https://app.example.com/callback#fragment',
        'https://user:password@app.example.com/callback',
        '/callback',
      ]) {
        const { status, body } = await register(anybody, { redirect_uris: [uri] });
        assert.equal(status, 400, uri);
        assert.match(String(body['error']), /^invalid_(redirect_uri|client_metadata)$/);
      }
    });
  });

  describe('45: open registration', () => {
    test('a flood is capped for its address and in all, whatever address it claims; a public client gets no secret', async () => {
      const flood = (fetch: TlsFetch['fetch']) =>
        Promise.all(
          Array.from({ length: 8 }, (_, index) =>
            register(fetch, { token_endpoint_auth_method: 'none' }, { 'X-Forwarded-For': `203.0.113.${index}` }),
          ),
        );
      const first = await flood(at.fetchAs({ address: '127.0.0.5' }));
      const made = first.filter(({ status }) => status === 201);
      assert.equal(made.length, MOST_PER_ADDRESS);
      assert.equal(first.filter(({ status }) => status === 429).length, 8 - MOST_PER_ADDRESS);
      for (const { body } of made) assert.equal(body['client_secret'], undefined);
      const second = await flood(at.fetchAs({ address: '127.0.0.6' }));
      assert.equal(second.filter(({ status }) => status === 201).length, MOST_CLIENTS - MOST_PER_ADDRESS);

      const [client] = made;
      const page = await at
        .browse()
        .get(authorizeUrl({ client_id: String(client?.body['client_id']), scope: 'openid', prompt: '' }).href);
      assert.match(page.body, /registered itself/, 'people are told');
    });
  });

  describe('46: where to return to', () => {
    const elsewhere = [
      '//evil.example',
      '///evil.example',
      '/\\evil.example',
      '\\/evil.example',
      '/\t/evil.example',
      '/\n/evil.example',
      '/%09/evil.example\t',
      '/.//evil.example',
      '/..//evil.example',
      'https://evil.example/',
      'https:evil.example',
      'javascript:alert(1)',
      '@evil.example',
      '.evil.example',
    ];

    test('after a sign-in of the gateway’s own is a path of this host, whatever was asked for', async () => {
      const visitor = at.browse();
      const home = await throughLogin(visitor, '/widgets/mine?page=2');
      assert.equal(home.url, `${at.widgets}/mine?page=2`);
      assert.equal(home.status, 200);
      for (const wish of elsewhere) {
        const landed = await throughLogin(visitor, wish);
        assert.equal(landed.away, undefined, JSON.stringify(wish));
        assert.equal(new URL(landed.url).origin, new URL(at.issuer).origin);
      }
    });

    test('from the account page as well', async () => {
      const visitor = at.browse();
      const page = await visitor.get(`${at.issuer}/account?return_to=${encodeURIComponent('//evil.example')}`);
      const signedIn = await visitor.submit(page, 'password', ADA);
      assert.equal(signedIn.away, undefined);
      for (const wish of elsewhere) {
        const shown = await visitor.get(`${at.issuer}/account?return_to=${encodeURIComponent(wish)}`);
        assert.equal(shown.away, undefined);
        assert.equal(shown.status, 200);
        assert.ok(!/href="[^"]*evil|href="javascript:/.test(shown.body), JSON.stringify(wish));
      }
    });

    async function throughLogin(visitor: Visitor, wish: string): Promise<PageVisit> {
      let page = await visitor.get(`${new URL(at.issuer).origin}/.auth/login?return_to=${encodeURIComponent(wish)}`);
      if (page.body.includes('name="password"')) page = await visitor.submit(page, 'password', ADA);
      return isConsent(page) ? await visitor.submit(page, 'allow') : page;
    }
  });

  async function register(fetch: TlsFetch['fetch'], metadata: object, headers: Fields = {}) {
    const reply = await fetch(`${at.issuer}/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify({
        client_name: 'Flood',
        redirect_uris: [CALLBACK],
        grant_types: ['authorization_code'],
        ...metadata,
      }),
    });
    // Registration answers with JSON objects.
    return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
  }
});

function assertStays(page: PageVisit, what: string): void {
  assert.equal(page.away, undefined, `${what} leads to ${page.away}`);
  assert.equal(page.status, 400, what);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  assert.ok(!page.body.includes('evil.example'), 'the page repeats none of it as a link');
}
