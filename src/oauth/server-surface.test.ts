import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { StoreUnavailable } from '../stores/stores.ts';
import { readBody } from './request-body.ts';
import { openBrowser } from './test-browser.ts';
import { authorize, basic, CALLBACK, discover, exchange, post } from './test-flows.ts';
import { startTestServer, type TestServer } from './test-server.ts';

describe('the surface of the authorization server', () => {
  let at: TestServer;
  before(async () => {
    at = await startTestServer({ privateNetworks: ['127.0.0.0/8'] });
  });
  after(() => at.close());

  test('its metadata is the same by every well-known name, and stays below the issuer whatever the host', async () => {
    const { origin } = new URL(at.issuer);
    const texts = [];
    for (const url of [
      `${at.issuer}/.well-known/openid-configuration`,
      `${at.issuer}/.well-known/oauth-authorization-server`,
      `${origin}/.well-known/oauth-authorization-server/oauth`,
      `${origin}/.well-known/openid-configuration/oauth`,
    ]) {
      const response = await fetch(url, {
        headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'gopher' },
      });
      assert.equal(response.status, 200, url);
      texts.push(await response.text());
    }
    assert.equal(new Set(texts).size, 1);
    const metadata = JSON.parse(texts[0] ?? '') as Record<string, unknown>; // metadata of RFC 8414
    assert.equal(metadata['issuer'], at.issuer);
    for (const [name, value] of Object.entries(metadata)) {
      if (/_(endpoint|uri)$/.test(name)) assert.ok(String(value).startsWith(`${at.issuer}/`), name);
    }
    assert.deepEqual(metadata['code_challenge_methods_supported'], ['S256']);
    assert.deepEqual(metadata['response_types_supported'], ['code']);
    assert.ok(
      !texts[0]?.includes('"none"') || !String(metadata['id_token_signing_alg_values_supported']).includes('none'),
    );
  });

  test('openid-client discovers it and gets a token', async () => {
    const app = await at.register({ name: 'Discovering' });
    const config = await client.discovery(new URL(at.issuer), app.id, app.secret, undefined, {
      execute: [client.allowInsecureRequests],
    });
    const tokens = await client.clientCredentialsGrant(config, { scope: 'widgets:read' });
    assert.equal(tokens.scope, 'widgets:read');
  });

  test('what holds tokens is never stored on the way; what is there for all may be', async () => {
    const app = await at.register({ name: 'Cached' });
    const form = new URLSearchParams({ grant_type: 'client_credentials', scope: 'widgets:read' });
    const tokens = await fetch(`${at.issuer}/token`, { method: 'POST', body: form, headers: basic(app) });
    assert.equal(tokens.headers.get('cache-control'), 'no-store');
    assert.equal(tokens.headers.get('x-content-type-options'), 'nosniff');
    const page = await openBrowser(at.issuer).visit(`${at.issuer}/authorize?client_id=nobody`);
    assert.equal(page.headers.get('cache-control'), 'no-store');
    assert.match(String(page.headers.get('content-security-policy')), /default-src 'none'/);
    assert.match(page.body, /^error invalid_client/);
  });

  test('bodies are bounded, with and without a length said beforehand', async () => {
    const app = await at.register({ name: 'Flood' });
    const large = `token=${'x'.repeat(100_000)}`;
    for (const path of ['/token', '/introspect', '/revoke', '/par']) {
      const headers = { ...basic(app), 'content-type': 'application/x-www-form-urlencoded' };
      const said = await fetch(`${at.issuer}${path}`, { method: 'POST', body: large, headers });
      assert.ok(said.status === 400 || said.status === 413, `${path}: ${said.status}`);
      const chunks = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(large));
          controller.close();
        },
      });
      const unsaid = await fetch(`${at.issuer}${path}`, { method: 'POST', body: chunks, headers, duplex: 'half' });
      assert.ok(unsaid.status === 400 || unsaid.status === 413, `${path}: ${unsaid.status}`);
    }
  });

  test('a body is read up to the bound and no further', async () => {
    const server = createServer(async (req, res) => {
      const read = await readBody(req);
      res.end('refused' in read ? read.refused : String(read.body.length));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`; // it listens over TCP
    assert.equal(await (await fetch(url, { method: 'POST', body: 'x'.repeat(57_344) })).text(), '57344');
    assert.equal(await (await fetch(url, { method: 'POST', body: 'x'.repeat(57_345) })).text(), 'too-large');
    server.closeAllConnections();
    server.close();
  });

  test('elsewhere there is nothing, and an error tells nothing of the inside', async () => {
    const { origin } = new URL(at.issuer);
    for (const path of [
      '/',
      '/oauthx/token',
      '/token',
      '/oauth',
      '/oauth/nowhere',
      '/.well-known/oauth-authorization-server',
    ]) {
      assert.equal((await fetch(`${origin}${path}`)).status, 404, path);
    }
    const { status, body } = await post(`${at.issuer}/token`, { grant_type: 'refresh_token', refresh_token: 'x' }, {});
    assert.equal(status, 400);
    assert.deepEqual(Object.keys(body).sort(), ['error', 'error_description']);
  });

  test('userinfo answers for a token that is meant for it', async () => {
    const { id, secret } = await at.register({ name: 'Profile', redirect_uris: [CALLBACK] });
    const authorized = await authorize(at, { clientId: id, scope: 'openid profile' });
    const app = { client: { client_id: id }, auth: client.ClientSecretBasic(secret) };
    const tokens = await exchange({ ...authorized, ...app, metadata: await discover(at) });
    const response = await fetch(`${at.issuer}/userinfo`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    assert.deepEqual(await response.json(), { sub: 'ada', name: 'User ada' });
  });

  test('a token that is meant for an API opens nothing here, in no disguise', async () => {
    const { id, secret } = await at.register({ name: 'API', redirect_uris: [CALLBACK] });
    const authorized = await authorize(at, { clientId: id, scope: 'openid widgets:read' });
    const app = { client: { client_id: id }, auth: client.ClientSecretBasic(secret) };
    const tokens = await exchange({ ...authorized, ...app, metadata: await discover(at) });
    for (const token of [tokens.access_token, `at+jwt:${tokens.access_token}`, String(tokens.id_token)]) {
      const response = await fetch(`${at.issuer}/userinfo`, { headers: { authorization: `Bearer ${token}` } });
      assert.equal(response.status, 401);
    }
  });

  test('signing out is told to clients behind the scenes', async () => {
    const told: string[] = [];
    const listener = createServer(async (req, res) => {
      const read = await readBody(req);
      if ('body' in read) told.push(new URLSearchParams(read.body.toString()).get('logout_token') ?? '');
      res.end();
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo; // it listens over TCP
    const { id, secret } = await at.register({
      name: 'Told',
      redirect_uris: [CALLBACK],
      backchannel_logout_uri: `http://127.0.0.1:${port}/logout`,
      backchannel_logout_session_required: true,
    });
    const browser = openBrowser(at.issuer);
    const authorized = await authorize(at, { clientId: id, scope: 'openid', browser });
    const app = { client: { client_id: id }, auth: client.ClientSecretBasic(secret) };
    await exchange({ ...authorized, ...app, metadata: await discover(at) });
    const asked = await browser.visit(`${at.issuer}/logout?client_id=${id}`);
    const { form } = JSON.parse(asked.body) as { form: { action: string; fields: Record<string, string> } };
    await browser.visit(form.action, { ...form.fields, logout: 'yes' });
    const keys = createRemoteJWKSet(new URL(`${at.issuer}/jwks`));
    const { payload } = await jwtVerify(told[0] ?? '', keys, { issuer: at.issuer, audience: id, typ: 'logout+jwt' });
    assert.equal(payload.sub, 'ada');
    assert.equal(typeof payload['sid'], 'string');
    assert.deepEqual(at.faults, []);
    listener.closeAllConnections();
    listener.close();
  });
});

test('where it cannot be said whether a proof was used, nothing is issued, and the client may try again', async () => {
  const away = () => Promise.reject(new StoreUnavailable('away'));
  const counters = { once: away, increment: away, read: away, clear: away, close: () => Promise.resolve() };
  const at = await startTestServer({ counters });
  try {
    const { id, secret } = await at.register({ name: 'Prover' });
    const config = await client.discovery(new URL(at.issuer), id, secret, undefined, {
      execute: [client.allowInsecureRequests],
    });
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
    const refused = client.clientCredentialsGrant(config, { scope: 'widgets:read' }, { DPoP });
    await assert.rejects(refused, ({ cause }: Error) => cause instanceof Response && cause.status === 503);
    assert.ok(at.faults[0] instanceof StoreUnavailable);
    assert.deepEqual(at.events, []);
  } finally {
    await at.close();
  }
});

test('behind TLS its cookies are bound to host and TLS, and it sends browsers to its own name only', async () => {
  const issuer = 'https://api.example.com/oauth';
  const at = await startTestServer({ issuer });
  try {
    const { id } = await at.register({ name: 'App', redirect_uris: [CALLBACK] });
    const query = new URLSearchParams({
      client_id: id,
      redirect_uri: CALLBACK,
      response_type: 'code',
      scope: 'openid',
      code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
      code_challenge_method: 'S256',
    });
    const browser = openBrowser(issuer, new URL(at.issuer).origin);
    const { away, cookies } = await browser.visit(`${issuer}/authorize?${query}`);
    assert.equal(typeof away?.searchParams.get('code'), 'string', String(away));
    assert.equal(away?.searchParams.get('iss'), issuer);
    assert.ok(cookies.some((field) => field.startsWith('__Host-sallyport_session=')));
    for (const cookie of cookies) {
      assert.match(cookie, /^__(Host|Secure)-sallyport_/);
      assert.match(cookie, /; secure(;|$)/i);
      assert.match(cookie, /; httponly(;|$)/i);
      assert.match(cookie, /; samesite=lax(;|$)/i);
      if (cookie.startsWith('__Host-')) assert.match(cookie, /; path=\/(;|$)/i);
      assert.doesNotMatch(cookie, /domain=/i);
    }
    assert.deepEqual(at.faults, []);
  } finally {
    await at.close();
  }
});
