import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { skipUnless } from '../../test/support/require-tool.ts';
import { basic, discover, insecure, post } from './test-flows.ts';
import { startTestServer, type TestServer, WIDGETS } from './test-server.ts';

describe('client credentials', () => {
  let at: TestServer;
  let metadata: oauth.AuthorizationServer;
  before(async () => {
    at = await startTestServer();
    metadata = await discover(at);
  });
  after(() => at.close());
  beforeEach(() => {
    for (const name of Object.keys(at.fields)) delete at.fields[name];
  });

  async function token(
    id: string,
    auth: oauth.ClientAuth,
    parameters: Record<string, string> = { scope: 'widgets:read' },
  ) {
    const client = { client_id: id };
    const response = await oauth.clientCredentialsGrantRequest(metadata, client, auth, parameters, insecure);
    return await oauth.processClientCredentialsResponse(metadata, client, response);
  }

  function ask(client: { id: string; secret: string }, form: Record<string, string>) {
    return post(`${at.issuer}/token`, { grant_type: 'client_credentials', ...form }, basic(client));
  }

  test('a client proves itself by its secret, in either place', async () => {
    const inHeader = await at.register({ name: 'Basic' });
    assert.equal((await token(inHeader.id, oauth.ClientSecretBasic(inHeader.secret))).scope, 'widgets:read');
    const inBody = await at.register({ name: 'Post', token_endpoint_auth_method: 'client_secret_post' });
    assert.equal((await token(inBody.id, oauth.ClientSecretPost(inBody.secret))).scope, 'widgets:read');
  });

  test('neither a wrong secret nor the stored hash of the right one opens anything, and the audit log hears of it', async () => {
    const client = await at.register({ name: 'Guessed' });
    const stored = await at.records.clients.find(client.id);
    for (const secret of ['wrong', client.secret.slice(1), String(stored?.secretHash)]) {
      const { status, body } = await ask({ id: client.id, secret }, {});
      assert.equal(status, 401);
      assert.equal(body['error'], 'invalid_client');
    }
    const failed = at.events.filter(
      (event) => event.type === 'client.authentication-failed' && event.address === '192.0.2.7',
    );
    assert.ok(failed.some(({ subject }) => subject === `client:${client.id}`));
    assert.ok(!JSON.stringify(at.events).includes(String(stored?.secretHash)));
  });

  test('a client proves itself by a key it registered; an assertion counts once and not for long', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const { kty = '', crv = '', x = '', y = '' } = await exportJWK(publicKey);
    const { id } = await at.register({
      name: 'Signs',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ kty, crv, x, y, alg: 'ES256' }] },
    });
    assert.equal((await token(id, oauth.PrivateKeyJwt(privateKey))).scope, 'widgets:read');

    const sign = (lifetime: number) =>
      new SignJWT({ jti: crypto.randomUUID() })
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuer(id)
        .setSubject(id)
        .setAudience(at.issuer)
        .setIssuedAt()
        .setExpirationTime(Math.floor(Date.now() / 1000) + lifetime)
        .sign(privateKey);
    const present = async (assertion: string) => {
      const form = {
        client_id: id,
        client_assertion: assertion,
        grant_type: 'client_credentials',
        scope: 'widgets:read',
      };
      const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      return (await post(`${at.issuer}/token`, { ...form, client_assertion_type: type })).status;
    };
    const once = await sign(60);
    assert.equal(await present(once), 200);
    assert.equal(await present(once), 401);
    assert.equal(await present(await sign(7200)), 401);
  });

  test('a client without authentication gets no token of its own', async () => {
    const { id } = await at.register({ name: 'Public', redirect_uris: ['http://127.0.0.1/callback'] });
    const { body } = await post(`${at.issuer}/token`, { grant_type: 'client_credentials', client_id: id });
    assert.equal(body['error'], 'invalid_request');
  });

  test('the token names API, client and scopes, and no more than was registered', async () => {
    const client = await at.register({ name: 'Reader', scope: 'widgets:read' });
    const { access_token: jwt } = await token(client.id, oauth.ClientSecretBasic(client.secret), {
      resource: WIDGETS.audience,
      scope: 'widgets:read',
    });
    const { iat = 0, exp = 0, ...claims } = decodeJwt(jwt);
    assert.equal(exp - iat, 600);
    assert.deepEqual(
      { ...claims, jti: '' },
      { jti: '', sub: client.id, client_id: client.id, aud: WIDGETS.audience, scope: 'widgets:read', iss: at.issuer },
    );
    assert.equal((await ask(client, { scope: 'widgets:write' })).body['error'], 'invalid_scope');
  });

  test('without a resource it is the API that knows the scopes; where that says nothing, it has to be named', async () => {
    const client = await at.register({ name: 'Many' });
    assert.equal(
      decodeJwt(String((await ask(client, { scope: 'widgets:write' })).body['access_token'])).aud,
      WIDGETS.audience,
    );
    for (const form of [{}, { scope: 'widgets:read vault:open' }, { resource: 'https://elsewhere.example' }]) {
      assert.equal((await ask(client, form)).body['error'], 'invalid_target', JSON.stringify(form));
    }
  });

  for (const [kind, scope] of [
    ['JWT', 'widgets:read'],
    ['stored token', 'vault:open'],
  ] as const) {
    test(`a ${kind} is known until it is revoked, by its own client only`, async () => {
      const client = await at.register({ name: 'Owner' });
      const other = await at.register({ name: 'Other' });
      const { body } = await ask(client, { scope });
      const value = String(body['access_token']);
      const known = (await post(`${at.issuer}/introspect`, { token: value }, basic(client))).body;
      assert.equal(known['active'], true);
      assert.equal(known['client_id'], client.id);
      assert.equal(known['scope'], scope);

      assert.equal((await post(`${at.issuer}/revoke`, { token: value }, basic(other))).status, 400);
      assert.equal(
        (await post(`${at.issuer}/revoke`, { token: value }, basic({ ...client, secret: 'no' }))).status,
        401,
      );
      assert.equal((await post(`${at.issuer}/introspect`, { token: value }, basic(client))).body['active'], true);

      assert.equal((await post(`${at.issuer}/revoke`, { token: value }, basic(client))).status, 200);
      assert.deepEqual((await post(`${at.issuer}/introspect`, { token: value }, basic(client))).body, {
        active: false,
      });
      const { items } = await at.records.audit.list({ actor: `client:${client.id}` }, { limit: 10 });
      const [revoked] = items;
      assert.equal(revoked?.type, 'token.revoked');
      if (kind === 'JWT') assert.equal(revoked.subject, `token:${decodeJwt(value).jti}`);
      if (kind === 'JWT') assert.equal(revoked.detail?.['exp'], decodeJwt(value).exp);
      assert.ok(!JSON.stringify([...items, ...at.events]).includes(value));
      assert.deepEqual(at.faults, []);
    });

    test(`a ${kind} of a client that is disabled is not active`, async () => {
      const client = await at.register({ name: 'Owner' });
      const server = await at.register({ name: 'Resource server' });
      const { body } = await ask(client, { scope });
      const active = async () =>
        (await post(`${at.issuer}/introspect`, { token: String(body['access_token']) }, basic(server))).body['active'];
      assert.equal(await active(), true);
      await at.records.clients.update(client.id, { disabled: true }, []);
      assert.equal(await active(), false);
      assert.equal((await ask(client, { scope })).status, 401);
    });
  }

  test('what is forged, of another issuer or without a signature is not active', async () => {
    const client = await at.register({ name: 'Forger' });
    const { body } = await ask(client, { scope: 'widgets:read' });
    const [header = '', payload = '', signature = ''] = String(body['access_token']).split('.');
    const { privateKey } = await generateKeyPair('RS256');
    const forged = await new SignJWT(decodeJwt(`${header}.${payload}.${signature}`))
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt' })
      .sign(privateKey);
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`;
    for (const token of [forged, none, `${header}.${payload}.${signature.slice(0, -2)}AA`, `at+jwt:${forged}`]) {
      assert.notEqual((await post(`${at.issuer}/introspect`, { token }, basic(client))).body['active'], true, token);
    }
  });
});

describe('mutual TLS', { skip: skipUnless('openssl') }, () => {
  let at: TestServer;
  let folder: string;
  before(async () => {
    at = await startTestServer();
    folder = mkdtempSync(join(tmpdir(), 'sallyport-mtls-'));
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await at.close();
  });
  beforeEach(() => {
    for (const name of Object.keys(at.fields)) delete at.fields[name];
  });

  function certificate(name: string): { readonly field: string; readonly x5c: string; readonly thumbprint: string } {
    const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const names = [
      '-subj',
      `/C=DE/O=Acme, Inc/CN=${name}`,
      '-addext',
      `subjectAltName=DNS:${name}.example,URI:urn:${name}`,
    ];
    execFileSync('openssl', ['req', '-x509', ...curve, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const { raw, fingerprint256 } = new X509Certificate(readFileSync(cert));
    const x5c = raw.toString('base64');
    const thumbprint = Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
    return { field: `:${x5c}:`, x5c, thumbprint };
  }

  async function ask(id: string, fields: Record<string, string>) {
    for (const name of Object.keys(at.fields)) delete at.fields[name];
    Object.assign(at.fields, fields);
    return await post(`${at.issuer}/token`, { grant_type: 'client_credentials', client_id: id, scope: 'widgets:read' });
  }

  test('a certificate of a trusted authority opens the client that registered its subject', async () => {
    const one = certificate('one');
    const two = certificate('two');
    const subject = { token_endpoint_auth_method: 'tls_client_auth' } as const;
    const byName = await at.register({
      ...subject,
      name: 'DN',
      tls_client_auth_subject_dn: 'CN=one,O=Acme\\, Inc,C=DE',
    });
    const byHost = await at.register({ ...subject, name: 'SAN', tls_client_auth_san_dns: 'ONE.example' });
    const byUri = await at.register({ ...subject, name: 'URI', tls_client_auth_san_uri: 'urn:one' });
    for (const { id } of [byName, byHost, byUri]) {
      assert.equal((await ask(id, { 'client-cert': one.field, 'x-client-cert-verified': '?1' })).status, 200);
      assert.equal((await ask(id, { 'client-cert': two.field, 'x-client-cert-verified': '?1' })).status, 401);
      assert.equal((await ask(id, { 'client-cert': one.field, 'x-client-cert-verified': '?0' })).status, 401);
      assert.equal((await ask(id, { 'client-cert': one.field })).status, 401);
      assert.equal((await ask(id, { 'client-cert': ':!!!:', 'x-client-cert-verified': '?1' })).status, 401);
      assert.equal((await ask(id, {})).status, 401);
    }
  });

  test('a self-signed certificate opens the client that registered it, and its tokens are bound to it', async () => {
    const mine = certificate('mine');
    const jwk = new X509Certificate(Buffer.from(mine.x5c, 'base64')).publicKey.export({ format: 'jwk' });
    const { id } = await at.register({
      name: 'Self-signed',
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      tls_client_certificate_bound_access_tokens: true,
      jwks: {
        keys: [{ kty: 'EC', crv: String(jwk['crv']), x: String(jwk['x']), y: String(jwk['y']), x5c: [mine.x5c] }],
      },
    });
    const { status, body } = await ask(id, { 'client-cert': mine.field, 'x-client-cert-verified': '?0' });
    assert.equal(status, 200);
    assert.deepEqual(decodeJwt(String(body['access_token']))['cnf'], { 'x5t#S256': mine.thumbprint });
    assert.equal((await ask(id, { 'client-cert': certificate('other').field })).status, 401);
    assert.deepEqual(at.faults, []);
  });
});
