import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';
import { freePort, startGateway, type TestGateway } from './support/gateway.ts';
import { ask } from './support/http-client.ts';
import { until } from './support/until.ts';
import { startUpstream, type TestUpstream } from './support/upstream.ts';

const AUDIENCE = 'https://api.example.com/v1';
/** The shortest the configuration allows. */
const COOL_DOWN_MS = 1_000;
const CLIENT = { id: 'program', secret: 'a secret of another authority, 40 letters' };

/** Done line 3: an authority that is not ours, with keys and algorithms of its own, which it changes when it likes. */
describe('tokens of another issuer', { timeout: 120_000 }, () => {
  let issuer: ForeignIssuer;
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;

  before(async () => {
    issuer = await startIssuer('ES256');
    upstream = await startUpstream();
    port = await freePort();
    gateway = await startGateway(`
workers: 2
listeners: [{ name: public, address: 127.0.0.1:${port}, tls: none }]
issuers:
  - issuer: ${issuer.url}
    coolDown: ${COOL_DOWN_MS}ms
    introspection: { clientId: ${CLIENT.id}, clientSecret: '${CLIENT.secret}', remember: 0ms }
apis:
  - name: widgets
    path: /v1
    upstream: ${upstream.url}
    authenticate:
      - oauth: { issuer: '${issuer.url}', audience: '${AUDIENCE}', algorithms: [ES256, PS256, EdDSA], opaque: introspect }
`);
  });
  after(async () => {
    await gateway?.stop();
    await Promise.all([issuer?.close(), upstream?.close()]);
  });

  const call = async (token: string) => {
    const { status } = await ask({ port, path: '/v1/things', headers: { Authorization: `Bearer ${token}` } });
    return status;
  };

  it('are good, found by discovery alone', async () => {
    await until('its keys to be there', async () => (await call(await issuer.token())) === 200);
    assert.equal(upstream.seen.at(-1)?.headers.authorization, undefined, 'the token ends at the gateway');
  });

  it('go on through a change of keys and algorithm, and its keys are fetched once a cool-down at most', async () => {
    const statuses: number[] = [];
    let running = true;
    const clients = Array.from({ length: 8 }, async () => {
      while (running) {
        statuses.push(await call(await issuer.token()));
        await delay(5);
      }
    });
    const began = issuer.keyFetches.length;
    for (const algorithm of ['PS256', 'EdDSA', 'ES256'] as const) {
      await delay(COOL_DOWN_MS + 200); // a real issuer publishes a key long before it signs with it
      await issuer.rotate(algorithm);
      await delay(300);
    }
    running = false;
    await Promise.all(clients);
    assert.ok(statuses.length > 100);
    assert.deepEqual([...new Set(statuses)], [200], 'a good token was refused');
    const fetches = issuer.keyFetches.slice(began);
    assert.ok(fetches.length >= 3, String(fetches.length));
    assertCoolDown(issuer.keyFetches);
  });

  it('attack 37: a flood of keys nobody knows asks the issuer no more often', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const began = performance.now();
    const before = issuer.keyFetches.length;
    const forged = await Promise.all(Array.from({ length: 300 }, (_, at) => forge(privateKey, `unknown-${at}`)));
    for (let round = 0; round < 3; round += 1) {
      const statuses = await Promise.all(forged.map(call));
      assert.deepEqual([...new Set(statuses)], [401]);
    }
    const allowed = Math.ceil((performance.now() - began) / COOL_DOWN_MS) + 1;
    assert.ok(issuer.keyFetches.length - before <= allowed, `${issuer.keyFetches.length - before} fetches`);
    assertCoolDown(issuer.keyFetches);
    assert.equal(await call(await issuer.token()), 200, 'others are served');
  });

  it('that are opaque are asked about, and refused once they are revoked', async () => {
    const opaque = await issuer.opaqueToken();
    assert.doesNotMatch(opaque, /\./);
    assert.equal(await call(opaque), 200);
    await issuer.revoke(opaque);
    assert.equal(await call(opaque), 401);
    assert.equal(await call('x'.repeat(43)), 401);
  });

  it('that were proved go on while the issuer is away; what cannot be checked is refused; it recovers by itself', async () => {
    const known = await issuer.token();
    assert.equal(await call(known), 200);
    const opaque = await issuer.opaqueToken();
    await issuer.pause();
    assert.equal(await call(known), 200);
    assert.equal(await call(opaque), 503);
    const { privateKey } = await generateKeyPair('ES256');
    const unknown = await forge(privateKey, 'a-key-nobody-knows');
    await until('the absence to be noticed', async () => (await call(unknown)) === 503);
    assert.equal(await call(known), 200);
    await issuer.resume();
    assert.equal(await call(opaque), 200);
    await issuer.rotate('PS256');
    await until('the new key to be known', async () => (await call(await issuer.token())) === 200);
  });

  function forge(key: CryptoKey, kid: string): Promise<string> {
    return new SignJWT({ client_id: 'x' })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
      .setIssuer(issuer.url)
      .setSubject('x')
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(key);
  }

  /** Over all workers: no two fetches are closer than the cool-down, but for the timer's own grain. */
  function assertCoolDown(fetches: readonly number[]): void {
    for (let at = 1; at < fetches.length; at += 1) {
      const apart = (fetches[at] ?? 0) - (fetches[at - 1] ?? 0);
      assert.ok(apart >= COOL_DOWN_MS - 50, `two fetches were ${apart} ms apart`);
    }
  }
});

interface ForeignIssuer {
  readonly url: string;
  /** When its keys were asked for, of `performance.now()`. */
  readonly keyFetches: readonly number[];
  token(): Promise<string>;
  opaqueToken(): Promise<string>;
  revoke(token: string): Promise<void>;
  /** Signs with a new key from now on; the old ones stay published. */
  rotate(algorithm: 'ES256' | 'PS256' | 'EdDSA'): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

/** A second oidc-provider, which shares nothing with the gateway. */
async function startIssuer(algorithm: 'ES256'): Promise<ForeignIssuer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const keyFetches: number[] = [];
  const keys: JWK[] = [];
  const opaque = new Map<string, unknown>();
  let provider: Provider;

  async function rotate(next: string): Promise<void> {
    const { privateKey } = await generateKeyPair(next, { extractable: true });
    keys.unshift({ ...(await exportJWK(privateKey)), alg: next, use: 'sig', kid: `${next}-${keys.length}` });
    provider = makeProvider(url, keys, next, opaque);
  }
  await rotate(algorithm);

  let server: Server;
  async function listen(): Promise<void> {
    server = createServer((request, response) => {
      if (request.url === '/jwks') keyFetches.push(performance.now());
      void provider.callback()(request, response);
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
  }
  async function silence(): Promise<void> {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
  await listen();

  async function post(path: string, form: Readonly<Record<string, string>>) {
    const authorization = `Basic ${Buffer.from(`${CLIENT.id}:${encodeURIComponent(CLIENT.secret)}`).toString('base64')}`;
    const reply = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization },
      body: new URLSearchParams(form),
    });
    const text = await reply.text();
    assert.equal(reply.status, 200, text);
    return text === '' ? {} : JSON.parse(text);
  }
  const grant = { grant_type: 'client_credentials', scope: 'read' };
  return {
    url,
    keyFetches,
    token: async () => String((await post('/token', { ...grant, resource: AUDIENCE })).access_token),
    opaqueToken: async () =>
      String((await post('/token', { ...grant, resource: `${AUDIENCE}#opaque`.replace('#', '/') })).access_token),
    revoke: async (token) => void (await post('/token/revocation', { token })),
    rotate,
    pause: silence,
    resume: listen,
    close: silence,
  };
}

function makeProvider(url: string, keys: readonly JWK[], algorithm: string, kept: Map<string, unknown>): Provider {
  return new Provider(url, {
    adapter: (model: string) => ({
      async upsert(id: string, payload: object) {
        kept.set(`${model}:${id}`, payload);
      },
      // What it keeps is what it was given.
      find: async (id: string) => kept.get(`${model}:${id}`) as never,
      findByUid: async () => undefined,
      findByUserCode: async () => undefined,
      async destroy(id: string) {
        kept.delete(`${model}:${id}`);
      },
      consume: async () => {},
      revokeByGrantId: async () => {},
    }),
    jwks: { keys: keys.map((key) => ({ ...key })) } as never, // the types know no Ed25519 beside the others
    scopes: ['read'],
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: 'read',
          audience: AUDIENCE,
          accessTokenTTL: 300,
          accessTokenFormat: resource.endsWith('/opaque') ? 'opaque' : 'jwt',
          jwt: { sign: { alg: algorithm as 'ES256' } }, // one of those the test names
        }),
      },
    },
  });
}
