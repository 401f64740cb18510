import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { createTestAuthority, type PemPair } from './support/certificate-authority.ts';
import {
  bearer,
  type ClientFacts,
  certificateJwk,
  type LowLevelClient,
  refusedSoon,
  statusAt,
  withOauth4webapi,
  withOpenidClient,
} from './support/oauth-client.ts';
import type { TlsFetch } from './support/oauth-fetch.ts';
import { type OauthGateway, startOauthGateway } from './support/oauth-gateway.ts';

const SECRET = 'a-secret-of-forty-characters-for-a-test!';

describe('programs at the authorization server, by discovery alone over TLS', { timeout: 90_000 }, () => {
  let at: OauthGateway;
  let anybody: TlsFetch['fetch'];
  let keys: oauth.CryptoKeyPair;
  let partner: PemPair;
  let lone: PemPair;

  before(async () => {
    keys = await oauth.generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
    lone = await (await createTestAuthority('Somebody else')).issue('lone.example.com');
    const loneJwk = await certificateJwk(lone);
    at = await startOauthGateway(() => ({
      users: [],
      clients: [
        { id: 'basic', secret: SECRET, scopes: ['widgets:read', 'widgets:write', 'vault:open'] },
        { id: 'post', secret: SECRET, authentication: 'client_secret_post' },
        { id: 'signer', authentication: 'private_key_jwt', jwks: { keys: [jwk] } },
        { id: 'partner', authentication: 'tls_client_auth', certificateSubject: 'CN=partner.example.com' },
        { id: 'lone', authentication: 'self_signed_tls_client_auth', jwks: { keys: [loneJwk] } },
        { id: 'prover', secret: SECRET, requireDpop: true },
        { id: 'holder', secret: SECRET, requireCertificate: true },
        { id: 'other', secret: SECRET },
        { id: 'given-nothing', secret: SECRET, scopes: [] },
      ].map((client) => ({ grants: ['client_credentials'], scopes: ['widgets:read'], ...client })),
    }));
    partner = await at.partners.issue('partner.example.com');
    anybody = at.fetchAs();
  });
  after(() => at?.stop());

  const basic = (id: string): ClientFacts => ({ id, auth: oauth.ClientSecretBasic(SECRET), fetch: anybody });
  const wants = () => ({ scope: 'widgets:read', resource: at.widgets });

  async function grant(
    { as, client, auth, http }: LowLevelClient,
    parameters: Readonly<Record<string, string>> = wants(),
    options: { readonly DPoP?: oauth.DPoPHandle } = {},
  ): Promise<oauth.TokenEndpointResponse> {
    const sent = await oauth.clientCredentialsGrantRequest(as, client, auth, parameters, { ...http, ...options });
    return await oauth.processClientCredentialsResponse(as, client, sent);
  }

  test('both metadata documents say the same, at the issuer’s and at the well-known place', async () => {
    const documents = await Promise.all(
      [
        `${at.issuer}/.well-known/openid-configuration`,
        `${at.issuer}/.well-known/oauth-authorization-server`,
        new URL('/.well-known/oauth-authorization-server/oauth', at.issuer),
        new URL('/.well-known/openid-configuration/oauth', at.issuer),
      ].map(async (url) => {
        const reply = await anybody(url);
        assert.equal(reply.status, 200, String(url));
        return (await reply.json()) as Record<string, unknown>; // metadata is an object
      }),
    );
    const [first, ...others] = documents;
    assert.equal(first?.['issuer'], at.issuer);
    for (const document of others) assert.deepEqual(document, first);
    const endpoints = Object.entries(first ?? {}).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name));
    assert.ok(endpoints.length >= 9);
    for (const [name, url] of endpoints) assert.ok(String(url).startsWith(`${at.issuer}/`), name);
  });

  describe('prove who they are', () => {
    const ways: Record<string, () => { readonly low: ClientFacts; readonly high: ClientFacts }> = {
      client_secret_basic: () => ({
        low: basic('basic'),
        high: { ...basic('basic'), auth: openid.ClientSecretBasic(SECRET) },
      }),
      client_secret_post: () => ({
        low: { id: 'post', auth: oauth.ClientSecretPost(SECRET), fetch: anybody },
        high: { id: 'post', auth: openid.ClientSecretPost(SECRET), fetch: anybody },
      }),
      private_key_jwt: () => {
        const key = { key: keys.privateKey, kid: 'k1' };
        return {
          low: { id: 'signer', auth: oauth.PrivateKeyJwt(key), fetch: anybody },
          high: { id: 'signer', auth: openid.PrivateKeyJwt(key), fetch: anybody },
        };
      },
      tls_client_auth: () => {
        const fetch = at.fetchAs({ certificate: partner });
        return {
          low: { id: 'partner', auth: oauth.TlsClientAuth(), fetch },
          high: { id: 'partner', auth: openid.TlsClientAuth(), fetch },
        };
      },
      self_signed_tls_client_auth: () => {
        const fetch = at.fetchAs({ certificate: lone });
        return {
          low: { id: 'lone', auth: oauth.TlsClientAuth(), fetch },
          high: { id: 'lone', auth: openid.TlsClientAuth(), fetch },
        };
      },
    };
    for (const [method, clients] of Object.entries(ways)) {
      test(`by ${method}`, async () => {
        const { low, high } = clients();
        const client = await withOauth4webapi(at, low);
        assert.ok(client.as.token_endpoint_auth_methods_supported?.includes(method));
        const one = await grant(client);
        const two = await openid.clientCredentialsGrant(await withOpenidClient(at, high), wants());
        for (const { access_token: token, token_type: type, expires_in: seconds, scope } of [one, two]) {
          assert.deepEqual([type, seconds, scope], ['bearer', 600, 'widgets:read']);
          assert.equal(decodeJwt(token)['client_id'], low.id);
          assert.equal(await statusAt(at.widgets, bearer(token), anybody), 200);
        }
      });
    }

    test('and are refused without that proof', async () => {
      const stranger = await createTestAuthority('Not the partners’ CA');
      const samename = at.fetchAs({ certificate: await stranger.issue('partner.example.com') });
      const colleague = at.fetchAs({ certificate: await at.partners.issue('colleague.example.com') });
      const wrongKey = (await oauth.generateKeyPair('ES256')).privateKey;
      const facts: readonly ClientFacts[] = [
        { id: 'basic', auth: oauth.ClientSecretBasic(`${SECRET}x`) },
        { id: 'basic', auth: oauth.ClientSecretPost(`${SECRET}x`) },
        { id: 'basic', auth: oauth.None() },
        { id: 'nobody', auth: oauth.ClientSecretBasic(SECRET) },
        { id: 'signer', auth: oauth.PrivateKeyJwt({ key: wrongKey, kid: 'k1' }) },
        { id: 'partner', auth: oauth.TlsClientAuth() },
        { id: 'partner', auth: oauth.TlsClientAuth(), fetch: samename },
        { id: 'partner', auth: oauth.TlsClientAuth(), fetch: colleague },
        { id: 'lone', auth: oauth.TlsClientAuth() },
        { id: 'lone', auth: oauth.TlsClientAuth(), fetch: samename },
      ];
      for (const [index, fact] of facts.entries()) {
        const client = await withOauth4webapi(at, { fetch: anybody, ...fact });
        await assert.rejects(grant(client), isOauthError('invalid_client', 401), `${fact.id} ${index}`);
      }
    });

    test('and an assertion counts once', async () => {
      const recorded = recordingFetch(anybody);
      const auth = oauth.PrivateKeyJwt({ key: keys.privateKey, kid: 'k1' });
      await grant(await withOauth4webapi(at, { id: 'signer', auth, fetch: recorded.fetch }));
      const again = await recorded.repeat();
      assert.equal(again.status, 401);
      assert.match(await again.text(), /"invalid_client"/);
    });
  });

  test('access tokens are JWTs of RFC 9068, which a resource server elsewhere can check by discovery', async () => {
    const client = await withOauth4webapi(at, basic('basic'));
    const { access_token: token } = await grant(client);
    assert.equal(decodeProtectedHeader(token).typ, 'at+jwt');
    const request = new Request(at.widgets, { headers: bearer(token) });
    const claims = await oauth.validateJwtAccessToken(client.as, request, at.widgets, client.http);
    assert.deepEqual(
      [claims.iss, claims.aud, claims.sub, claims.client_id, claims.scope],
      [at.issuer, at.widgets, 'basic', 'basic', 'widgets:read'],
    );
    assert.equal(claims.exp - claims.iat, 600);
  });

  test('a token is for the API it was asked for (RFC 8707), and for the scopes alone that were asked for', async () => {
    const client = await withOauth4webapi(at, basic('basic'));
    const read = await grant(client);
    const vault = await grant(client, { scope: 'vault:open', resource: at.vault });
    assert.equal(await statusAt(at.widgets, bearer(vault.access_token), anybody), 401);
    assert.equal(await statusAt(at.vault, bearer(read.access_token), anybody), 401);
    assert.equal(await statusAt(at.vault, bearer(vault.access_token), anybody), 200);

    const forWriting = await anybody(at.widgets, { method: 'POST', headers: bearer(read.access_token), body: '{}' });
    assert.equal(forWriting.status, 403);
    assert.match(forWriting.headers.get('www-authenticate') ?? '', /error="insufficient_scope".*scope="widgets:write"/);
    const write = await grant(client, { scope: 'widgets:write', resource: at.widgets });
    assert.equal(await statusAt(at.widgets, bearer(write.access_token), anybody, 'POST'), 200);

    for (const resource of ['https://elsewhere.example.com', `${at.widgets}/`, 'widgets'])
      await assert.rejects(grant(client, { scope: 'widgets:read', resource }), isOauthError('invalid_target', 400));
    // Every scope is known to both APIs here, so a request has to say which it means.
    await assert.rejects(grant(client, { scope: 'widgets:read' }), isOauthError('invalid_target', 400));
    const other = await withOauth4webapi(at, basic('other'));
    await assert.rejects(
      grant(other, { scope: 'vault:open', resource: at.vault }),
      isOauthError('invalid_scope', 400),
      'a scope the client was not given',
    );
    const givenNothing = await withOauth4webapi(at, basic('given-nothing'));
    await assert.rejects(grant(givenNothing), isOauthError('invalid_scope', 400), 'a client that was given none');
    assert.equal(decodeJwt((await grant(givenNothing, { resource: at.vault })).access_token)['scope'], undefined);
  });

  test('introspection tells of a token, to its client and to others that can prove who they are', async () => {
    const owner = await withOpenidClient(at, { ...basic('basic'), auth: openid.ClientSecretBasic(SECRET) });
    const server = await withOpenidClient(at, { ...basic('other'), auth: openid.ClientSecretBasic(SECRET) });
    const { access_token: token } = await openid.clientCredentialsGrant(owner, wants());
    for (const asking of [owner, server]) {
      const { active, client_id, scope, aud, iss, token_type } = await openid.tokenIntrospection(asking, token);
      assert.deepEqual(
        { active, client_id, scope, aud, iss, token_type },
        {
          active: true,
          client_id: 'basic',
          scope: 'widgets:read',
          aud: at.widgets,
          iss: at.issuer,
          token_type: 'Bearer',
        },
      );
    }
    const [head, body] = token.split('.');
    for (const made of [`${head}.${body}.AAAA`, 'x'.repeat(43), 'not a token'])
      assert.deepEqual({ ...(await openid.tokenIntrospection(server, made)) }, { active: false });
  });

  test('a token that its client revokes (RFC 7009) is refused by the API at once', async () => {
    const low = await withOauth4webapi(at, basic('basic'));
    const high = await withOpenidClient(at, { ...basic('basic'), auth: openid.ClientSecretBasic(SECRET) });
    const [one, two, kept] = [await grant(low), await grant(low), await grant(low)];
    const other = await withOpenidClient(at, { ...basic('other'), auth: openid.ClientSecretBasic(SECRET) });
    await assert.rejects(openid.tokenRevocation(other, one.access_token), openid.ResponseBodyError);
    assert.equal(await statusAt(at.widgets, bearer(one.access_token), anybody), 200);

    const { as, client, auth, http } = low;
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, one.access_token, http));
    await openid.tokenRevocation(high, two.access_token);
    for (const { access_token: token } of [one, two]) {
      await refusedSoon(at.widgets, token, anybody);
      assert.equal((await openid.tokenIntrospection(high, token)).active, false);
    }
    assert.equal(await statusAt(at.widgets, bearer(kept.access_token), anybody), 200);
    await openid.tokenRevocation(high, 'a-token-that-never-was');
  });

  describe('bind their tokens to a key (RFC 9449)', () => {
    test('which the API then asks a proof of, once for each request', async () => {
      const recorded = recordingFetch(anybody);
      const low = await withOauth4webapi(at, { ...basic('basic'), fetch: recorded.fetch });
      const pair = await oauth.generateKeyPair('ES256', { extractable: true });
      const DPoP = oauth.DPoP(low.client, pair);
      const { access_token: token, token_type: type } = await grant(low, wants(), { DPoP });
      assert.equal(type, 'dpop');
      const thumbprint = await calculateJwkThumbprint(await exportJWK(pair.publicKey));
      assert.deepEqual(decodeJwt(token)['cnf'], { jkt: thumbprint });

      const url = new URL(at.widgets);
      const options = { ...low.http, DPoP };
      const ask = () => oauth.protectedResourceRequest(token, 'GET', url, undefined, undefined, options);
      for (let round = 0; round < 2; round += 1) {
        const reply = await ask();
        assert.equal(reply.status, 200);
        await reply.arrayBuffer();
      }
      assert.equal((await recorded.repeat()).status, 401, 'a proof that was used');
      assert.ok(!('dpop' in (at.upstream.seen.at(-1)?.headers ?? {})), 'the proof is the gateway’s business');

      const shown = { Authorization: `DPoP ${token}` };
      const statusWith = (headers: Readonly<Record<string, string>>) => statusAt(at.widgets, headers, anybody);
      assert.equal(await statusWith(shown), 401, 'without a proof');
      assert.equal(await statusWith(bearer(token)), 401, 'as a bearer token');
      const thief = { ...low.http, DPoP: oauth.DPoP(low.client, await oauth.generateKeyPair('ES256')) };
      await assert.rejects(
        oauth.protectedResourceRequest(token, 'GET', url, undefined, undefined, thief),
        ({ cause, status }: oauth.WWWAuthenticateChallengeError) => {
          const challenge = cause.find(({ scheme }) => scheme === 'dpop');
          assert.equal(status, 401);
          assert.equal(challenge?.parameters.error, 'invalid_dpop_proof');
          return true;
        },
        'with the proof of another key',
      );
      await assert.rejects(
        oauth.protectedResourceRequest(token, 'GET', new URL(at.vault), undefined, undefined, options),
        oauth.WWWAuthenticateChallengeError,
        'at another API',
      );
    });

    test('with the other library too; who is registered for it gets no other token', async () => {
      const config = await withOpenidClient(at, { ...basic('prover'), auth: openid.ClientSecretBasic(SECRET) });
      const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'));
      const { access_token: token } = await openid.clientCredentialsGrant(config, wants(), { DPoP });
      const options = { DPoP };
      const ask = (how: openid.DPoPOptions) =>
        openid.fetchProtectedResource(config, token, new URL(at.widgets), 'GET', undefined, undefined, how);
      assert.equal((await ask(options)).status, 200);
      await assert.rejects(ask({}), openid.WWWAuthenticateChallengeError);
      await assert.rejects(openid.clientCredentialsGrant(config, wants()), openid.ResponseBodyError);
      await assert.rejects(grant(await withOauth4webapi(at, basic('prover'))), isOauthError('invalid_grant', 400));
    });

    test('a proof for the token endpoint counts once', async () => {
      const recorded = recordingFetch(anybody);
      const low = await withOauth4webapi(at, { ...basic('prover'), fetch: recorded.fetch });
      await grant(low, wants(), { DPoP: oauth.DPoP(low.client, await oauth.generateKeyPair('ES256')) });
      const again = await recorded.repeat();
      assert.equal(again.status, 400);
      assert.match(await again.text(), /"invalid_grant"/);
    });
  });

  test('bind their tokens to their certificate (RFC 8705), which the API then wants to see on the connection', async () => {
    const fetch = at.fetchAs({ certificate: partner });
    const holder = await withOauth4webapi(at, { ...basic('holder'), fetch });
    const { access_token: token } = await grant(holder);
    const thumbprint = Object(decodeJwt(token)['cnf'])['x5t#S256'];
    assert.match(String(thumbprint), /^[\w-]{43}$/);
    assert.equal(await statusAt(at.widgets, bearer(token), fetch), 200);
    assert.equal(await statusAt(at.widgets, bearer(token), anybody), 401, 'without a certificate');
    const another = at.fetchAs({ certificate: await at.partners.issue('partner.example.com') });
    assert.equal(await statusAt(at.widgets, bearer(token), another), 401, 'with another of the same name');
    assert.equal(await statusAt(at.widgets, bearer(token), fetch), 200);

    // A certificate no authority vouches for binds as well as another: it proves the possession of its key.
    const own = at.fetchAs({ certificate: lone });
    const config = await withOpenidClient(at, {
      ...basic('holder'),
      auth: openid.ClientSecretBasic(SECRET),
      fetch: own,
    });
    const loneToken = (await openid.clientCredentialsGrant(config, wants())).access_token;
    assert.equal(await statusAt(at.widgets, bearer(loneToken), own), 200);
    assert.equal(await statusAt(at.widgets, bearer(loneToken), fetch), 401);
    await assert.rejects(
      grant(await withOauth4webapi(at, basic('holder'))),
      isOauthError('invalid_grant', 400),
      'no certificate, no token',
    );
  });
});

/** Notes what is sent, so that it can be sent again to the letter. */
function recordingFetch(fetch: TlsFetch['fetch']): Pick<TlsFetch, 'fetch'> & { repeat(): Promise<Response> } {
  let last: Parameters<TlsFetch['fetch']> | undefined;
  return {
    fetch: (...sent) => {
      last = sent;
      return fetch(...sent);
    },
    repeat() {
      if (last === undefined) throw new Error('nothing was sent yet');
      return fetch(...last);
    },
  };
}

function isOauthError(error: string, status: number) {
  return (thrown: unknown): boolean => {
    assert.ok(
      thrown instanceof oauth.ResponseBodyError || thrown instanceof oauth.WWWAuthenticateChallengeError,
      String(thrown),
    );
    assert.equal(thrown.status, status);
    if (thrown instanceof oauth.ResponseBodyError) assert.equal(thrown.error, error);
    else assert.equal(error, 'invalid_client', 'challenges come with it alone');
    return true;
  };
}
