import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { StoreUnavailable } from '../stores/stores.ts';
import { IssuerDirectory } from './issuer-directory.ts';
import { type IssuerSettings, issuerSettings } from './issuer-settings.ts';
import type { IssuerKeySet } from './services.ts';

const KEY = { kty: 'EC', crv: 'P-256', x: 'eA', y: 'eQ', kid: 'k1', alg: 'ES256', use: 'sig' };

describe('issuer directory', () => {
  let answers: Record<string, RequestListener> = {};
  let asked: string[] = [];
  let issuer = '';
  let now = 0;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const answer = answers[request.url ?? ''];
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response);
  });

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realm`; // listening on TCP
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    asked = [];
    answers = {
      [OPENID]: json({ issuer, jwks_uri: `${issuer}/jwks`, introspection_endpoint: `${issuer}/introspect` }),
      [JWKS]: json({ keys: [KEY] }),
    };
  });

  async function withDirectory(
    settings: Partial<Record<keyof IssuerSettings, unknown>>,
    run: (directory: IssuerDirectory, heard: Heard) => Promise<void>,
  ): Promise<void> {
    const heard: Heard = { sets: [], faults: [] };
    const directory = new IssuerDirectory({
      onChange: (set) => heard.sets.push(set),
      onFault: (_, error) => heard.faults.push(error.message),
      clock: () => now,
    });
    try {
      directory.update({ issuers: [issuerSettings.parse({ issuer, ...settings })], own: undefined });
      await run(directory, heard);
    } finally {
      await directory.close();
    }
  }

  const jwksFetches = () => asked.filter((url) => url === JWKS).length;

  test('keys are found by discovery, at either well-known place, and told to the workers once', async () => {
    await withDirectory({}, async (directory, heard) => {
      const set = await directory.keys(issuer, { refresh: false });
      assert.deepEqual(set.jwks.keys, [KEY]);
      assert.deepEqual(heard.sets, [set]);
      assert.deepEqual(directory.all(), [set]);
    });
    const openid = answers[OPENID] ?? assert.fail();
    answers = { [RFC8414]: openid, [JWKS]: json({ keys: [KEY] }) };
    await withDirectory({}, async (directory) => {
      assert.equal((await directory.keys(issuer, { refresh: false })).jwks.keys.length, 1);
    });
  });

  test('attack 37: however often keys are asked for, they are fetched once in a cool-down', async () => {
    await withDirectory({}, async (directory) => {
      await Promise.all(Array.from({ length: 50 }, () => directory.keys(issuer, { refresh: true })));
      for (let at = 0; at < 20; at += 1) await directory.keys(issuer, { refresh: true });
      assert.equal(jwksFetches(), 1);
    });
  });

  test('after the cool-down new keys are another generation; the same ones are the same set', async () => {
    await withDirectory({}, async (directory, heard) => {
      const first = await directory.keys(issuer, { refresh: false });
      now += 30_000;
      assert.equal(await directory.keys(issuer, { refresh: true }), first);
      answers[JWKS] = json({ keys: [{ ...KEY, kid: 'k2' }] });
      now += 30_000;
      const second = await directory.keys(issuer, { refresh: true });
      assert.ok(second.generation > first.generation);
      assert.deepEqual(heard.sets, [first, second]);
      assert.equal(jwksFetches(), 3);
    });
  });

  test('the last good keys stay where a fetch fails', async () => {
    await withDirectory({}, async (directory, heard) => {
      const first = await directory.keys(issuer, { refresh: false });
      answers[JWKS] = (_, response) => response.writeHead(500).end();
      now += 30_000;
      // What they do not hold cannot be told from what is new.
      await assert.rejects(directory.keys(issuer, { refresh: true }), StoreUnavailable);
      assert.match(heard.faults.join(), /answered 500/);
      assert.equal(await directory.keys(issuer, { refresh: false }), first);
      assert.deepEqual(directory.all(), [first]);
    });
  });

  test('documents that are not to be believed give no keys', async () => {
    const bad: readonly (readonly [Record<string, RequestListener>, RegExp])[] = [
      [{ [OPENID]: json({ issuer: 'https://evil.example', jwks_uri: `${issuer}/jwks` }) }, /not the metadata/],
      [{ [OPENID]: json({ issuer: `${issuer}/`, jwks_uri: `${issuer}/jwks` }) }, /not the metadata/],
      [{ [OPENID]: json({ issuer }) }, /no jwks_uri/],
      [{ [OPENID]: json({ issuer, jwks_uri: 'http://169.254.169.254/jwks' }) }, /not an https URL/],
      [{ [OPENID]: json({ issuer, jwks_uri: 'https://10.0.0.1/jwks' }) }, /may not be reached/],
      [{ [OPENID]: json({ issuer, jwks_uri: 'https://127.0.0.2/jwks' }) }, /may not be reached/],
      [{ [JWKS]: (_, response) => response.writeHead(302, { location: '/other' }).end() }, /redirect/],
      [{ [JWKS]: json({ keys: Array.from({ length: 101 }, () => KEY) }) }, /more than 100 keys/],
      [{ [JWKS]: json({ keys: {} }) }, /not a JWK set/],
      [{ [JWKS]: (_, response) => response.end('x'.repeat(300_000)) }, /more than 262144 bytes/],
      [{ [JWKS]: (_, response) => response.end('<html>') }, /not JSON/],
    ];
    for (const [replaced, reason] of bad) {
      const usual = answers;
      answers = { ...answers, ...replaced };
      await withDirectory({}, async (directory) => {
        await assert.rejects(directory.keys(issuer, { refresh: false }), (error: unknown) => {
          assert.ok(error instanceof StoreUnavailable, String(error));
          assert.match(error.message, reason);
          return true;
        });
        assert.deepEqual(directory.all(), []);
      });
      answers = usual;
    }
  });

  test('secrets, private members and what is no key do not come in', async () => {
    answers[JWKS] = json({ keys: [{ ...KEY, d: 'secret' }, { kty: 'oct', k: 'secret' }, 7, { kty: 'EC', x: 1 }, {}] });
    await withDirectory({}, async (directory) => {
      assert.deepEqual((await directory.keys(issuer, { refresh: false })).jwks.keys, [KEY]);
    });
  });

  test('an issuer that the configuration does not name is never asked', async () => {
    await withDirectory({}, async (directory) => {
      await assert.rejects(directory.keys('https://evil.example', { refresh: true }), StoreUnavailable);
      await assert.rejects(directory.introspect('https://evil.example', 'a'), StoreUnavailable);
    });
  });

  test('a reload keeps the keys of an issuer that is unchanged, and drops one that went', async () => {
    await withDirectory({}, async (directory) => {
      const set = await directory.keys(issuer, { refresh: false });
      directory.update({ issuers: [issuerSettings.parse({ issuer })], own: undefined });
      assert.equal(await directory.keys(issuer, { refresh: false }), set);
      assert.equal(jwksFetches(), 1);
      directory.update({ issuers: [], own: undefined });
      await assert.rejects(directory.keys(issuer, { refresh: false }), StoreUnavailable);
    });
  });

  test('settings that changed make another issuer: it is asked anew, and its set has a later number', async () => {
    await withDirectory({}, async (directory, heard) => {
      const first = await directory.keys(issuer, { refresh: false });
      directory.update({ issuers: [issuerSettings.parse({ issuer, coolDown: '1m' })], own: undefined });
      const second = await directory.keys(issuer, { refresh: false });
      assert.equal(jwksFetches(), 2);
      assert.ok(second.generation > first.generation);
      assert.deepEqual(heard.sets, [first, second]);
      assert.deepEqual(directory.all(), [second]);
    });
  });

  test('an issuer that becomes the embedded one is not fetched any more, and the other way round', async () => {
    await withDirectory({}, async (directory) => {
      const remote = await directory.keys(issuer, { refresh: false });
      const handedIn = { keys: [{ ...KEY, kid: 'own' }] };
      directory.update({ issuers: [issuerSettings.parse({ issuer })], own: { issuer, jwks: handedIn } });
      const own = await directory.keys(issuer, { refresh: true });
      assert.deepEqual(own.jwks, handedIn);
      assert.ok(own.generation > remote.generation, 'workers take the later number');
      assert.deepEqual(directory.all(), [own]);
      now += 3_600_000;
      await directory.keys(issuer, { refresh: true });
      assert.equal(jwksFetches(), 1);
      directory.update({ issuers: [issuerSettings.parse({ issuer })], own: undefined });
      const again = await directory.keys(issuer, { refresh: false });
      assert.deepEqual(again.jwks.keys, [KEY]);
      assert.ok(again.generation > own.generation);
    });
  });

  test('two issuers have sets of different numbers, and one that is away does not hold up the other', async () => {
    const other = `${issuer}/other`;
    await withDirectory({}, async (directory, heard) => {
      directory.update({
        issuers: [issuer, other].map((name) => issuerSettings.parse({ issuer: name })),
        own: undefined,
      });
      await assert.rejects(directory.keys(other, { refresh: false }), StoreUnavailable);
      const set = await directory.keys(issuer, { refresh: false });
      assert.deepEqual(directory.all(), [set]);
      assert.match(heard.faults.join(), /answered 404/);
    });
  });

  test('the embedded server is asked about opaque tokens directly', async () => {
    await withDirectory({}, async (directory) => {
      const own = 'https://own.example';
      const introspect = async (token: string) => ({ active: token === 'good' });
      directory.update({ issuers: [], own: { issuer: own, jwks: { keys: [] }, introspect } });
      assert.deepEqual(await directory.introspect(own, 'good'), { active: true });
      assert.deepEqual(await directory.introspect(own, 'bad'), { active: false });
    });
  });

  test('the embedded server’s keys are handed in, public parts alone, and rotate', async () => {
    await withDirectory({}, async (directory, heard) => {
      const own = 'https://own.example';
      directory.update({ issuers: [], own: { issuer: own, jwks: { keys: [{ ...KEY, d: 'secret' }] } } });
      const first = await directory.keys(own, { refresh: true });
      assert.deepEqual(first.jwks.keys, [KEY]);
      directory.rotateOwn({ keys: [KEY] });
      assert.equal(await directory.keys(own, { refresh: true }), first);
      directory.rotateOwn({ keys: [KEY, { ...KEY, kid: 'k2' }] });
      const second = await directory.keys(own, { refresh: true });
      assert.ok(second.generation > first.generation);
      assert.deepEqual(
        heard.sets.filter((set) => set.issuer === own),
        [first, second],
      );
      await assert.rejects(directory.introspect(own, 'a'), /introspection credentials/);
    });
  });

  describe('introspection', () => {
    const introspection = { clientId: 'gate way', clientSecret: 'p:w', remember: '1m' };

    test('asks as its client, once for an answer that still counts', async () => {
      const requests: string[] = [];
      answers[INTROSPECT] = (request, response) => {
        requests.push(String(request.headers.authorization));
        request.setEncoding('utf8').once('data', (body: string) => requests.push(body));
        request.once('end', () => json({ active: true, sub: 'bob' })(request, response));
      };
      await withDirectory({ introspection }, async (directory) => {
        const twice = await Promise.all([directory.introspect(issuer, 'abc'), directory.introspect(issuer, 'abc')]);
        assert.deepEqual(
          [...twice, await directory.introspect(issuer, 'abc')],
          Array(3).fill({ active: true, sub: 'bob' }),
        );
      });
      const basic = `Basic ${Buffer.from('gate+way:p%3Aw').toString('base64')}`;
      assert.deepEqual(requests, [basic, 'token=abc&token_type_hint=access_token']);
    });

    test('no answer of RFC 7662 is none, and shows neither the token nor the secret', async () => {
      for (const answer of [
        json({ sub: 'bob' }),
        json({ active: 'yes' }),
        json([]),
        ((_, response) => response.writeHead(401).end()) satisfies RequestListener,
        ((_, response) => response.end('{"active":tru')) satisfies RequestListener,
        ((_, response) => response.destroy()) satisfies RequestListener,
      ]) {
        answers[INTROSPECT] = answer;
        await withDirectory({ introspection }, async (directory) => {
          const failure = await directory.introspect(issuer, 'the-token').catch((error: unknown) => error);
          assert.ok(failure instanceof StoreUnavailable);
          assert.doesNotMatch(failure.message, /the-token|p:w|p%3Aw/);
        });
      }
    });

    test('an answer is not kept past the end of its token', async () => {
      let count = 0;
      answers[INTROSPECT] = (request, response) => {
        count += 1;
        json({ active: true, exp: Math.floor(Date.now() / 1_000) - 1 })(request, response);
      };
      await withDirectory({ introspection }, async (directory) => {
        await directory.introspect(issuer, 'abc');
        await directory.introspect(issuer, 'abc');
      });
      assert.equal(count, 2);
    });
  });
});

interface Heard {
  readonly sets: IssuerKeySet[];
  readonly faults: string[];
}

const OPENID = '/realm/.well-known/openid-configuration';
const RFC8414 = '/.well-known/oauth-authorization-server/realm';
const JWKS = '/realm/jwks';
const INTROSPECT = '/realm/introspect';

function json(document: unknown): RequestListener {
  return (_, response) => void response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
}
