import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { after, describe, it } from 'node:test';
import { StoreUnavailable } from '../stores/stores.ts';
import type { LoginSettings } from './login-settings.ts';
import { createProvider } from './provider.ts';
import { createProviderFetch } from './provider-fetch.ts';
import { TEST_CLIENT } from './test-provider.ts';

describe('fetching from a provider', () => {
  const closing: (() => Promise<unknown>)[] = [];
  after(() => Promise.all(closing.map((close) => close())));

  async function serve(answer: RequestListener): Promise<string> {
    const server = createServer(answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    return `http://127.0.0.1:${address.port}`;
  }

  function fetchOf(issuer: string) {
    const made = createProviderFetch(issuer, undefined);
    closing.push(() => made.close());
    return (url: string) => made.fetch(url, { method: 'GET', headers: {}, body: undefined, redirect: 'manual' });
  }

  function login(issuer: string): LoginSettings {
    const times = { idle: 60_000, lifetime: 60_000 };
    return {
      name: 'web',
      issuer,
      ...TEST_CLIENT,
      clientAuthentication: 'client_secret_basic',
      scopes: [],
      resource: undefined,
      path: '/.auth',
      afterLogout: '/',
      ca: undefined,
      ...times,
    };
  }

  it('takes what is small, and follows no redirect', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: '/' }).end();
      else response.end('fine');
    });
    const fetch = fetchOf(url);
    assert.equal(await (await fetch(url)).text(), 'fine');
    assert.equal((await fetch(`${url}/moved`)).status, 302);
  });

  it('stops reading what is large', async () => {
    let cut = false;
    const url = await serve((_request, response) => {
      response.on('close', () => {
        cut = !response.writableFinished;
      });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on('drain', more);
      more();
    });
    await assert.rejects(fetchOf(url)(url), /gave no answer/);
    for (let turns = 0; !cut && turns < 200; turns += 1) await new Promise((next) => setTimeout(next, 10));
    assert.ok(cut);
  });

  it('attack 44: leads the endpoints of a provider on the internet to no address inside', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.end('secret');
    });
    const fetch = fetchOf('https://1.1.1.1');
    await assert.rejects(fetch(url));
    await assert.rejects(fetch(url.replace('127.0.0.1', 'localhost')));
    await assert.rejects(fetch(url.replace('127.0.0.1', '[::ffff:127.0.0.1]')));
    await assert.rejects(fetch('http://169.254.169.254/latest/meta-data'));
    assert.equal(asked, 0);
  });

  it('does not believe metadata of another issuer, and asks a broken provider once in a while only', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ issuer: 'https://evil.example', jwks_uri: 'https://evil.example/jwks' }));
    });
    let now = 0;
    const provider = createProvider(login(url), { ownWay: () => undefined, clock: () => now });
    closing.push(() => provider.close());
    for (let at = 0; at < 3; at += 1) await assert.rejects(provider.configuration(), StoreUnavailable);
    assert.equal(asked, 1);
    now = 6_000;
    await assert.rejects(provider.configuration(), StoreUnavailable);
    assert.equal(asked, 2);
  });

  it('takes another way to a provider where there is one, in the same bounds', async () => {
    const issuer = 'https://login.example.com';
    let size = 0;
    const own = async (url: string): Promise<Response> => {
      const metadata = { issuer, jwks_uri: `${issuer}/jwks`, padding: 'x'.repeat(size) };
      assert.equal(url, `${issuer}/.well-known/openid-configuration`);
      return Response.json(metadata);
    };
    let now = 0;
    const provider = createProvider(login(issuer), { ownWay: () => own, clock: () => now });
    closing.push(() => provider.close());
    size = 300_000;
    await assert.rejects(provider.configuration(), StoreUnavailable);
    size = 0;
    now = 6_000;
    assert.equal((await provider.configuration()).serverMetadata().issuer, issuer);
  });

  it('goes on with what it knew when a provider is away, and joins those who ask at a time', async () => {
    let asked = 0;
    let up = true;
    const url: string = await serve((_request, response) => {
      asked += 1;
      if (!up) return void response.writeHead(500).end();
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/jwks` }));
    });
    let now = 0;
    const provider = createProvider(login(url), { ownWay: () => undefined, clock: () => now });
    closing.push(() => provider.close());
    const [known] = await Promise.all([1, 2, 3].map(() => provider.configuration()));
    assert.equal(asked, 1);
    up = false;
    now = 2 * 3_600_000;
    assert.equal(await provider.configuration(), known);
    assert.equal(asked, 2);
  });
});
