import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { until } from '../../test/support/until.ts';
import { StoreUnavailable } from '../stores/stores.ts';
import type { BoundedFetch } from './bounded-fetch.ts';
import { issuerFetch } from './issuer-fetch.ts';
import { Introspection } from './issuer-introspection.ts';
import { issuerSettings } from './issuer-settings.ts';

describe('introspection', () => {
  let issuer = '';
  let answer: RequestListener;
  let asked = 0;
  let now = 0;
  let fetcher: BoundedFetch;
  const server = createServer((request, response) => {
    asked += 1;
    answer(request, response);
  });

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on TCP
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    [asked, now] = [0, 1_000_000];
    answer = json({ active: true, sub: 'bob' });
    fetcher = issuerFetch(issuerSettings.parse({ issuer }));
  });
  afterEach(() => fetcher.close());

  function open(remember = 1_000): Introspection {
    const credentials = { clientId: 'gateway', clientSecret: 'secret', remember };
    return new Introspection({ credentials, fetcher, endpoint: async () => issuer, clock: () => now });
  }

  test('an answer counts for as long as the file says, good or bad', async () => {
    for (const document of [{ active: true, sub: 'bob' }, { active: false }]) {
      asked = 0;
      answer = json(document);
      const introspection = open();
      assert.deepEqual(await introspection.ask('abc'), document);
      now += 999;
      assert.deepEqual(await introspection.ask('abc'), document);
      assert.equal(asked, 1);
      now += 1;
      await introspection.ask('abc');
      assert.equal(asked, 2);
      await introspection.ask('abd');
      assert.equal(asked, 3, 'each token for itself');
    }
  });

  test('where nothing is to be remembered each request asks, but those that wait share one answer', async () => {
    const introspection = open(0);
    await Promise.all(Array.from({ length: 20 }, () => introspection.ask('abc')));
    assert.equal(asked, 1);
    await introspection.ask('abc');
    assert.equal(asked, 2);
  });

  test('an answer of inactive says nothing else, whatever came with it', async () => {
    answer = json({ active: false, sub: 'bob', scope: 'a' });
    assert.deepEqual(await open().ask('abc'), { active: false });
  });

  test('a failure is not remembered', async () => {
    const introspection = open();
    answer = (_, response) => response.writeHead(503).end();
    await assert.rejects(introspection.ask('abc'), StoreUnavailable);
    answer = json({ active: true });
    assert.deepEqual(await introspection.ask('abc'), { active: true });
  });

  test('what cannot be a token is inactive, and nobody is asked', async () => {
    const introspection = open();
    for (const text of ['', 'a b', 'a&client_id=x', 'x'.repeat(16_385)])
      assert.deepEqual(await introspection.ask(text), { active: false });
    assert.equal(asked, 0);
  });

  test('attack 44: redirects and answers without end are no answers', async () => {
    for (const given of [
      ((_, response) =>
        response.writeHead(302, { location: 'http://169.254.169.254/' }).end()) satisfies RequestListener,
      ((_, response) =>
        response.end(JSON.stringify({ active: true, x: 'x'.repeat(300_000) }))) satisfies RequestListener,
    ]) {
      answer = given;
      await assert.rejects(open().ask('abc'), StoreUnavailable);
    }
    assert.equal(asked, 2);
  });

  test('questions under way are bounded: what comes above is told so, and room comes back', async () => {
    const held: (() => void)[] = [];
    answer = (request, response) => held.push(() => json({ active: true })(request, response));
    const introspection = open();
    const waiting = Array.from({ length: 1_000 }, (_, at) => introspection.ask(`token-${at}`));
    await assert.rejects(introspection.ask('one-more'), /too many tokens/);
    const shared = introspection.ask('token-0'); // it has a question under way already
    await until('the first questions', () => held.length > 0);
    assert.ok(held.length <= 16, 'connections are bounded too');
    answer = json({ active: true });
    for (const release of held) release();
    assert.equal((await Promise.all([...waiting, shared])).length, 1_001);
    assert.deepEqual(await introspection.ask('one-more'), { active: true });
  });
});

function json(document: unknown): RequestListener {
  return (_, response) => void response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
}
