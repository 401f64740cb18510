import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { listenerOptions, readAll, statusOf, TestListener, type TestOptions } from './test-listener.ts';

describe('the port that redirects to HTTPS', () => {
  let test: TestListener;
  let options: TestOptions;
  before(async () => {
    options = { redirect: { httpsPort: 8443, challenges: new Map() } };
    test = await TestListener.start(options);
  });
  after(() => test[Symbol.asyncDispose]());

  async function send(request: string): Promise<string> {
    const socket = connect(test.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`${request}\r\nConnection: close\r\n\r\n`);
    return await readAll(socket);
  }

  it('sends GET and HEAD on, with canonical host, path and query', async () => {
    for (const method of ['GET', 'HEAD']) {
      const text = await send(`${method} /%61/b?c=d HTTP/1.1\r\nHost: A.example:8080`);
      assert.equal(statusOf(text), 308);
      assert.match(text, /\r\nLocation: https:\/\/a\.example:8443\/a\/b\?c=d\r\n/);
      assert.match(text, /\r\n\r\n$/);
    }
  });

  it('leaves out the port where it is 443', async () => {
    const { redirect } = options;
    assert.ok(redirect !== undefined);
    test.listener.update(listenerOptions({ ...options, redirect: { ...redirect, httpsPort: 443 } }));
    assert.match(await send('GET / HTTP/1.1\r\nHost: a.example'), /\r\nLocation: https:\/\/a\.example\/\r\n/);
    test.listener.update(listenerOptions(options));
  });

  it('refuses every other method, and says why', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const text = await send(
        `${method} / HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer x\r\nContent-Length: 0`,
      );
      assert.equal(statusOf(text), 403);
      assert.match(text, /https-required/);
    }
  });

  it('refuses what is ambiguous, so that nothing of the client’s making stands in Location', async () => {
    for (const request of [
      'GET //evil.example HTTP/1.1\r\nHost: a.example',
      'GET /\\evil HTTP/1.1\r\nHost: a.example',
      'GET / HTTP/1.1\r\nHost: a.example@evil.example',
      'GET / HTTP/1.1\r\nHost: a.example\r\nHost: evil.example',
      'GET http://evil.example/ HTTP/1.1\r\nHost: a.example',
      'GET / HTTP/1.0',
    ]) {
      const text = await send(request);
      assert.equal(statusOf(text), 400, request);
      assert.doesNotMatch(text, /Location/);
    }
  });

  it('answers http-01 challenges that are under way (RFC 8555 §8.3)', async () => {
    const path = '/.well-known/acme-challenge/tok_en-1';
    const { redirect } = options;
    assert.ok(redirect !== undefined);
    assert.equal(statusOf(await send(`GET ${path} HTTP/1.1\r\nHost: a.example`)), 308);
    const challenges = new Map([['tok_en-1', 'tok_en-1.thumbprint']]);
    test.listener.update(listenerOptions({ ...options, redirect: { ...redirect, challenges } }));
    assert.match(
      await send(`GET ${path} HTTP/1.1\r\nHost: a.example`),
      /^HTTP\/1\.1 200[\s\S]*\r\n\r\ntok_en-1\.thumbprint$/,
    );
    assert.equal(statusOf(await send(`GET ${path}2 HTTP/1.1\r\nHost: a.example`)), 308);
    assert.equal(statusOf(await send(`POST ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0`)), 403);
  });

  it('hands nothing to the road', () => {
    assert.equal(test.exchanges.length, 0);
  });
});
