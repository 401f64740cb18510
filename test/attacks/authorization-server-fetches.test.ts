import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import type { PageVisit } from '../../src/oauth/accounts/test-visitor.ts';
import { type AppServer, sendJson, startAppServer } from '../support/oauth-app-server.ts';
import { withOpenidClient } from '../support/oauth-client.ts';
import { ADA, CALLBACK, type OauthGateway, startOauthGateway } from '../support/oauth-gateway.ts';
import { fill, goThrough } from '../support/oauth-pages.ts';

/** Documents that are not there, or are no documents. */
const FAULTS = ['/redirect', '/slow', '/dribble', '/huge', '/endless', '/missing', '/broken', '/packed', '/hang-up'];

/** Hosts that lead inside, by the names that filters have overlooked. */
const INSIDE = [
  'localhost',
  'LOCALHOST',
  'localhost.',
  '127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '0.0.0.0',
  '[::1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[64:ff9b::7f00:1]',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.0.1',
  '100.64.0.1',
  '169.254.169.254',
  '[fd00::1]',
  '[fe80::1]',
];

/** Case 44, through the gateway. That a name which resolves anew gains nothing is shown beside src/identity/bounded-fetch.ts, where the resolver can be chosen. */
describe('44: addresses that clients name, through the gateway', { timeout: 90_000 }, () => {
  let app: AppServer;
  let keys: oauth.CryptoKeyPair;
  let shut: OauthGateway;
  let open: OauthGateway;

  before(async () => {
    keys = await oauth.generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
    shut = await startOauthGateway(async ({ partners }) => {
      app = await startAppServer(await partners.issue('localhost'), ({ path }, response, url) => {
        const document = { client_id: `${url}${path}`, client_name: 'Elsewhere', redirect_uris: [CALLBACK] };
        switch (path.replace(/^\/keys/, '')) {
          case '/redirect':
            return void response.writeHead(302, { Location: `${url}/inside` }).end();
          case '/slow':
            return;
          case '/dribble': {
            response.writeHead(200, { 'Content-Type': 'application/json' });
            const dribbling = setInterval(() => response.write(' '), 100);
            return void response.on('close', () => clearInterval(dribbling));
          }
          case '/huge':
            return sendJson(response, { ...document, keys: [jwk], padding: 'x'.repeat(128 * 1024) });
          case '/endless': {
            response.writeHead(200, { 'Content-Type': 'application/json' });
            const pour = (): void => {
              for (let goesOn = true; goesOn && !response.destroyed; ) goesOn = response.write(' '.repeat(16 * 1024));
            };
            response.on('drain', pour);
            return pour();
          }
          case '/missing':
            return void response.writeHead(404).end();
          case '/broken':
            return void response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"keys":[');
          case '/packed':
            return void response
              .writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' })
              .end(Buffer.from('H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==', 'base64'));
          case '/hang-up':
            return void response.destroy();
          default:
            return sendJson(
              response,
              path.startsWith('/keys') ? { keys: [jwk] } : { ...document, token_endpoint_auth_method: 'none' },
            );
        }
      });
      return {
        clients: [
          ...INSIDE.map((host, index) => signer(`inside-${index}`, `https://${host}:${app.port}/keys/good`)),
          { id: 'web', secret: SECRET, redirectUris: [CALLBACK], backchannelLogoutUri: `${app.url}/backchannel` },
        ],
        server: { clientIdMetadata: true },
      };
    });
    // The authority that vouches for the server of the client is known to both: it is the address that keeps the first out.
    open = await startOauthGateway(() => ({
      users: [],
      clients: ['/good', ...FAULTS].map((path) => signer(path.slice(1), `${app.url}/keys${path}`)),
      server: {
        clientIdMetadata: true,
        privateNetworks: ['127.0.0.1/32', '::1/128'],
        ca: shut.partners.cert,
      },
    }));
  });
  after(async () => {
    await Promise.all([shut?.stop(), open?.stop()]);
    await app?.close();
  });

  const signer = (id: string, jwksUri: string) => ({
    id,
    authentication: 'private_key_jwt',
    grants: ['client_credentials'],
    scopes: ['widgets:read'],
    jwksUri,
  });

  let caller = 10;
  /** Each request from an address of its own: what one address may have fetched is limited. */
  const anew = (at: OauthGateway) => {
    caller += 1;
    return at.fetchAs({ address: `127.0.1.${caller}` });
  };

  async function askAs(at: OauthGateway, clientId: string): Promise<PageVisit> {
    const url = new URL(`${at.issuer}/authorize`);
    url.search = new URLSearchParams({
      client_id: clientId,
      redirect_uri: CALLBACK,
      response_type: 'code',
      scope: 'widgets:read',
      resource: at.widgets,
      code_challenge: await oauth.calculatePKCECodeChallenge(oauth.generateRandomCodeVerifier()),
      code_challenge_method: 'S256',
    }).toString();
    return await at.browse(anew(at)).get(url.href);
  }

  /** What a page says, without what differs from request to request. */
  const wordingOf = ({ status, body, headers }: PageVisit) =>
    `${status} ${body.replaceAll(headers.get('x-request-id') ?? 'none', '')}`;

  async function tokenAs(at: OauthGateway, id: string): Promise<string> {
    const auth = openid.PrivateKeyJwt({ key: keys.privateKey, kid: 'k1' });
    const config = await withOpenidClient(at, { id, auth, fetch: anew(at) });
    try {
      return (await openid.clientCredentialsGrant(config, { scope: 'widgets:read', resource: at.widgets })).token_type;
    } catch (error) {
      if (error instanceof openid.ResponseBodyError)
        return `${error.status} ${error.error}: ${error.error_description}`;
      throw error;
    }
  }

  test('a document inside is not fetched, by whatever name, and the answer does not tell what is there', async () => {
    const pages = await Promise.all(
      [...INSIDE, 'no-such-host.invalid'].map((host) => askAs(shut, `https://${host}:${app.port}/agent`)),
    );
    assert.equal(new Set(pages.map(wordingOf)).size, 1, [...new Set(pages.map(wordingOf))].join('\n'));
    for (const { status, away } of pages) assert.deepEqual([status >= 400 && status < 500, away], [true, undefined]);
    assert.deepEqual(app.seen, []);
  });

  test('keys inside are not fetched either', async () => {
    const answers = new Set<string>();
    for (const index of INSIDE.keys()) answers.add(await tokenAs(shut, `inside-${index}`));
    assert.equal(answers.size, 1, [...answers].join('\n'));
    assert.match([...answers].join(), /^401 invalid_client/);
    assert.deepEqual(app.seen, []);
  });

  test('nobody inside is told that somebody signed out', async () => {
    const config = await withOpenidClient(shut, { id: 'web', auth: openid.ClientSecretBasic(SECRET) });
    const visitor = shut.browse();
    const verifier = openid.randomPKCECodeVerifier();
    const back = await goThrough(
      visitor,
      openid.buildAuthorizationUrl(config, {
        redirect_uri: CALLBACK,
        scope: 'openid',
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
      ADA,
    );
    const tokens = await openid.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier });
    const url = openid.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? '' });
    await fill(visitor, await visitor.get(url.href), { logout: 'yes' });
    await shut.gateway.logged((line) => /unexpected condition/.test(line.msg ?? ''));
    assert.deepEqual(app.seen, []);
  });

  test('where a network is allowed, what is slow, huge, broken or leads elsewhere fails in one wording', async () => {
    const good = await askAs(open, `${app.url}/agent`);
    assert.equal(good.status, 200, good.body);
    const pages = await Promise.all(FAULTS.map((path) => askAs(open, `${app.url}${path}`)));
    assert.equal(new Set(pages.map(wordingOf)).size, 1, [...new Set(pages.map(wordingOf))].join('\n'));
    for (const path of FAULTS)
      assert.ok(
        app.seen.some((seen) => seen.path === path),
        path,
      );
    assert.ok(!app.seen.some(({ path }) => path === '/inside'), 'redirects are not followed');
  });

  test('keys that are slow, huge, broken or lead elsewhere let nobody in, and the answer is one', async () => {
    assert.equal(await tokenAs(open, 'good'), 'bearer');
    const answers = new Set(await Promise.all(FAULTS.map((path) => tokenAs(open, path.slice(1)))));
    assert.equal(answers.size, 1, [...answers].join('\n'));
    assert.match([...answers].join(), /^401 invalid_client/);
    assert.ok(!app.seen.some(({ path }) => path === '/inside'));
  });

  test('one address has only so many fetched', async () => {
    const fetch = open.fetchAs({ address: '127.0.2.1' });
    const before = app.seen.length;
    for (let round = 0; round < 20; round += 1) {
      const url = new URL(`${open.issuer}/authorize`);
      url.search = new URLSearchParams({ client_id: `${app.url}/missing?${round}`, response_type: 'code' }).toString();
      await open.browse(fetch).get(url.href);
    }
    assert.equal(app.seen.length - before, 10);
  });
});

const SECRET = 'a-secret-of-forty-characters-for-a-test!';
