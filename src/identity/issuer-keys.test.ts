import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, beforeEach, describe, mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { StoreUnavailable } from '../stores/stores.ts';
import type { BoundedFetch } from './bounded-fetch.ts';
import { issuerFetch } from './issuer-fetch.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { type IssuerSettings, issuerSettings } from './issuer-settings.ts';
import type { IssuerKeySet } from './services.ts';

const KEY = { kty: 'EC', crv: 'P-256', x: 'eA', y: 'eQ', kid: 'k1', alg: 'ES256', use: 'sig' };

describe('the keys of an issuer', () => {
  let issuer = '';
  let jwks: RequestListener;
  let asked: string[] = [];
  let now = 0;
  const opened: { readonly keys: IssuerKeys; readonly fetcher: BoundedFetch }[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/jwks') jwks(request, response);
    else json({ issuer, jwks_uri: `${issuer}/jwks` })(request, response);
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
    jwks = json({ keys: [KEY] });
    asked = [];
    now = 1_000_000;
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(async () => {
    mock.timers.reset();
    for (const { keys, fetcher } of opened.splice(0)) {
      keys.close();
      await fetcher.close();
    }
  });

  function open(changed: Partial<IssuerSettings> = {}) {
    const settings = { ...issuerSettings.parse({ issuer }), ...changed };
    const heard: IssuerKeySet[] = [];
    const faults: string[] = [];
    let generation = 0;
    const fetcher = issuerFetch(settings);
    const keys = new IssuerKeys({
      settings,
      fetcher,
      nextGeneration: () => {
        generation += 1;
        return generation;
      },
      onChange: (set) => heard.push(set),
      onFault: (error) => faults.push(error.message),
      clock: () => now,
    });
    opened.push({ keys, fetcher });
    return { keys, heard, faults };
  }

  const fetches = () => asked.filter((url) => url === '/jwks').length;

  /** Lets time pass for the clock and for what waits; what that begins is not awaited. */
  function pass(ms: number): void {
    now += ms;
    mock.timers.tick(ms);
  }

  test('attack 37: however many ask at a time and again, there is one fetch in a cool-down', async () => {
    const { keys } = open();
    await Promise.all(Array.from({ length: 50 }, () => keys.get({ refresh: true })));
    for (let at = 0; at < 20; at += 1) await keys.get({ refresh: true });
    assert.equal(fetches(), 1);
    now += 29_999;
    await keys.get({ refresh: true });
    assert.equal(fetches(), 1);
    now += 1;
    await Promise.all(Array.from({ length: 50 }, () => keys.get({ refresh: true })));
    assert.equal(fetches(), 2);
    await keys.get({ refresh: false });
    assert.equal(fetches(), 2);
  });

  test('keys are fetched anew in the background, and a set that did not change is the same set', async () => {
    const { keys, heard } = open();
    const first = await keys.get({ refresh: false });
    pass(600_000);
    await until('the second fetch', () => fetches() === 2);
    await settled(keys);
    assert.equal(keys.known, first);
    jwks = json({ keys: [{ ...KEY, kid: 'k2' }] });
    pass(600_000);
    await until('the new set', () => keys.known?.generation === 2);
    assert.deepEqual(
      heard.map(({ generation }) => generation),
      [1, 2],
    );
    assert.equal(asked.filter((url) => url !== '/jwks').length, 1, 'metadata counts for an hour');
  });

  for (const [what, changed] of [
    ['longer than a round', { coolDown: 3_600_000, refreshEvery: 30_000 }],
    ['as long as a round', { coolDown: 30_000, refreshEvery: 30_000 }],
  ] as const)
    test(`a cool-down ${what} puts rounds off; it does not end them`, async () => {
      const { keys } = open(changed);
      await keys.get({ refresh: false });
      for (let round = 2; round <= 4; round += 1) {
        pass(changed.coolDown - 1);
        assert.equal(fetches(), round - 1);
        pass(1);
        await until(`fetch ${round}`, () => fetches() === round);
        await settled(keys);
      }
    });

  test('a fetch that fails keeps the last good keys, and is followed by others until one succeeds', async () => {
    const { keys, faults } = open();
    const first = await keys.get({ refresh: false });
    jwks = (_, response) => response.writeHead(500).end();
    pass(600_000);
    await until('the fault', () => faults.length === 1);
    assert.equal(await keys.get({ refresh: false }), first);
    // Whether a key they do not hold is one of the issuer's cannot be told now.
    await assert.rejects(keys.get({ refresh: true }), StoreUnavailable);
    pass(30_000);
    await until('the second fault', () => faults.length === 2);
    await settled(keys);
    jwks = json({ keys: [KEY, { ...KEY, kid: 'k2' }] });
    pass(30_000);
    await until('the new keys', () => keys.known?.generation === 2);
    assert.equal(keys.known?.jwks.keys.length, 2);
    assert.match(faults.join(), /answered 500/);
  });

  test('an issuer that was never reached is tried again after 5 s, whatever its cool-down', async () => {
    jwks = (_, response) => response.writeHead(503).end();
    const { keys, faults } = open({ coolDown: 3_600_000 });
    const failure = await keys.get({ refresh: false }).catch((error: unknown) => error);
    assert.ok(failure instanceof StoreUnavailable);
    assert.match(failure.message, /answered 503/);
    now += 4_999;
    await assert.rejects(keys.get({ refresh: false }), StoreUnavailable);
    assert.equal(faults.length, 1);
    jwks = json({ keys: [KEY] });
    now += 1;
    assert.equal((await keys.get({ refresh: false })).generation, 1);
  });

  test('after a failure the metadata is looked at again: the keys may have moved', async () => {
    jwks = (_, response) => response.writeHead(404).end();
    const { keys } = open();
    await assert.rejects(keys.get({ refresh: false }), StoreUnavailable);
    jwks = json({ keys: [KEY] });
    now += 5_000;
    await keys.get({ refresh: false });
    assert.deepEqual(asked, [
      '/.well-known/openid-configuration',
      '/jwks',
      '/.well-known/openid-configuration',
      '/jwks',
    ]);
  });

  test('keys whose place the file names need no metadata', async () => {
    const { keys } = open({ jwks: `${issuer}/jwks` });
    await keys.get({ refresh: false });
    assert.deepEqual(asked, ['/jwks']);
  });

  test('once closed nothing is fetched and nothing told any more, also of what was under way', async () => {
    let release = (): void => undefined;
    jwks = (request, response) => {
      release = () => json({ keys: [KEY] })(request, response);
    };
    const { keys, heard } = open();
    const asking = keys.get({ refresh: false });
    await until('the fetch', () => fetches() === 1);
    keys.close();
    release();
    await assert.rejects(asking, StoreUnavailable);
    pass(86_400_000);
    await assert.rejects(keys.get({ refresh: true }), StoreUnavailable);
    assert.deepEqual([fetches(), heard.length], [1, 0]);
  });

  /** Resolves when no fetch is under way. */
  async function settled(keys: IssuerKeys): Promise<void> {
    await keys.get({ refresh: true }).catch(() => undefined);
  }
});

/** Waits without timers: those the test holds in its hand. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`waited 10 s for ${what}`);
    await turn();
  }
}

function json(document: unknown): RequestListener {
  return (_, response) => void response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
}
