import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { OWN_APPS, type OwnApp } from '../config/own-routes.ts';
import { listenOn, type Page, pagesApp, serveOwnApps } from './own-apps.ts';
import { ownFetch } from './own-fetch.ts';

test('each app answers on a socket of its own that nobody else can open, and leaves nothing behind', async () => {
  const named = (app: OwnApp) => pagesApp({ '/': () => page(app) }, () => assert.fail());
  const apps = Object.fromEntries(OWN_APPS.map((app) => [app, named(app)])) as Parameters<typeof serveOwnApps>[0]; // one for each
  const server = await serveOwnApps(apps);
  const directory = dirname(server.sockets[OWN_APPS[0]]);
  try {
    assert.equal((await stat(directory)).mode & 0o077, 0);
    for (const app of OWN_APPS) {
      assert.equal((await stat(server.sockets[app])).mode & 0o777, 0o600);
      assert.deepEqual(await ask(server.sockets[app], '/'), { status: 200, type: 'text/plain', body: app });
    }
  } finally {
    await server.close();
  }
  await assert.rejects(stat(directory), { code: 'ENOENT' });
});

test('closing ends what is under way', async () => {
  const hanging = Object.fromEntries(OWN_APPS.map((app) => [app, () => undefined])) as unknown;
  const server = await serveOwnApps(hanging as Parameters<typeof serveOwnApps>[0]); // one for each
  const asking = ask(server.sockets[OWN_APPS[0]], '/');
  const failing = assert.rejects(asking);
  await new Promise((resolve) => setImmediate(resolve));
  await server.close();
  await failing;
});

test('a socket that cannot be listened on says so', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-own-'));
  const [one, other] = [createServer(), createServer()];
  try {
    await listenOn(one, join(directory, 'a.sock'));
    await assert.rejects(listenOn(other, join(directory, 'a.sock')), { code: 'EADDRINUSE' });
    await assert.rejects(listenOn(other, join(directory, 'missing', 'a.sock')));
    assert.deepEqual(await readdir(directory), ['a.sock']);
  } finally {
    one.close();
    await chmod(directory, 0o700);
    await rm(directory, { recursive: true });
  }
});

test('pages answer by their path alone; a page that fails says nothing of why', async () => {
  const failures: string[] = [];
  const pages = {
    '/plain': () => page('a'),
    '/later': async () => ({ status: 503, contentType: 'application/json', body: '{"ü":1}' }),
    '/broken': () => {
      throw new Error('postgres://user:password@db/records');
    },
    '/rejecting': () => Promise.reject(new Error('postgres://user:password@db/records')),
  };
  const app = pagesApp(pages, (path, error) => failures.push(`${path} ${String(error)}`));
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-own-'));
  const socket = join(directory, 'pages.sock');
  const server = createServer(app);
  try {
    await listenOn(server, socket);
    assert.deepEqual(await ask(socket, '/plain?a=b'), { status: 200, type: 'text/plain', body: 'a' });
    assert.deepEqual(await ask(socket, '/later'), { status: 503, type: 'application/json', body: '{"ü":1}' });
    for (const path of ['/', '/plain/', '/PLAIN', '/constructor', '/__proto__', '/toString'])
      assert.equal((await ask(socket, path)).status, 404, path);
    for (const path of ['/broken', '/rejecting']) {
      const { status, body } = await ask(socket, path);
      assert.equal(status, 500);
      assert.equal(body, 'this page could not be made; the log says why\n');
    }
    assert.deepEqual(
      failures,
      ['/broken', '/rejecting'].map((path) => `${path} Error: postgres://user:password@db/records`),
    );
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  }
});

test('the embedded server is reached on its socket, under the name it has for the world', async () => {
  const seen: { url: string | undefined; headers: NodeJS.Dict<string | string[]>; body: string }[] = [];
  const server = createServer((incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    incoming.on('end', () => {
      seen.push({ url: incoming.url, headers: incoming.headers, body });
      if (incoming.url === '/moved') response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
      else response.setHeader('content-type', 'application/json').end('{"a":1}');
    });
  });
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-own-'));
  const socket = join(directory, 'oauth.sock');
  await listenOn(server, socket);
  const own = ownFetch(socket);
  try {
    const reply = await own.fetch('https://nowhere.invalid:8443/oauth/token?x=1', {
      method: 'POST',
      headers: { accept: 'application/json', host: 'evil.example', 'x-forwarded-host': 'evil.example' },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
      redirect: 'manual',
    });
    assert.deepEqual(await reply.json(), { a: 1 });
    const [sent] = seen;
    assert.equal(sent?.url, '/oauth/token?x=1');
    assert.equal(sent.body, 'grant_type=client_credentials');
    assert.equal(sent.headers['host'], 'nowhere.invalid:8443');
    assert.equal(sent.headers['x-forwarded-host'], 'nowhere.invalid:8443');
    assert.equal(sent.headers['x-forwarded-proto'], 'https');
    const moved = await own.fetch('https://nowhere.invalid/moved', {
      method: 'GET',
      headers: {},
      body: undefined,
      redirect: 'manual',
    });
    assert.equal(moved.status, 302, 'a redirect is an answer, not followed');
    assert.equal(seen.length, 2);
    assert.equal(seen[1]?.headers['host'], 'nowhere.invalid');
  } finally {
    await own.close();
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  }
  await assert.rejects(
    own.fetch('https://nowhere.invalid/', { method: 'GET', headers: {}, body: undefined, redirect: 'manual' }),
  );
});

function page(body: string): Page {
  return { status: 200, contentType: 'text/plain', body };
}

async function ask(socketPath: string, path: string) {
  return new Promise<{ status: number | undefined; type: string | undefined; body: string }>((resolve, reject) => {
    request({ socketPath, path }, (reply) => {
      let body = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      reply.on('end', () => resolve({ status: reply.statusCode, type: reply.headers['content-type'], body }));
    })
      .on('error', reject)
      .end();
  });
}
