import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Counters } from '../../stores/counters.ts';
import { allocateCounters, openCounters } from '../../stores/open-counters.ts';
import { StoreUnavailable } from '../../stores/stores.ts';
import { PASSWORD, type SignInServer, startSignInServer } from './test-sign-in-server.ts';
import { openVisitor } from './test-visitor.ts';
import { type Attempt, createThrottle, type Throttle } from './throttle.ts';

const SECRET = new Uint8Array(32).fill(3);

describe('the throttle', () => {
  let counters: Counters;
  let throttle: Throttle;
  before(async () => {
    counters = await openCounters({ driver: 'memory', memory: allocateCounters(262_144) });
    throttle = createThrottle(counters, SECRET);
  });
  after(() => counters.close());

  function attempt(change: Partial<Attempt> = {}): Attempt {
    return { kind: 'password', address: '192.0.2.1', account: 'ada', knownBrowser: undefined, ...change };
  }

  test('lets five of a hundred guesses at once through to one account', async () => {
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        throttle.admit(attempt({ account: 'flooded', address: `198.51.100.${index}` })),
      ),
    );
    // Five are free, and one takes the first turn after them.
    assert(all.filter((one) => one.admitted).length <= 6);
    const refused = all.filter((one) => !one.admitted);
    assert(refused.every((one) => one.by === 'account'));
    assert.equal(refused.filter((one) => one.first).length, 1);
  });

  test('makes the next try wait, longer each time, five minutes at most', async () => {
    const at = attempt({ account: 'patient' });
    const slow = createThrottle(impatient(counters), SECRET);
    const waits: number[] = [];
    for (let index = 0; index < 30; index += 1) await slow.admit(at);
    waits.push(...turns);
    assert.deepEqual(
      [...waits].sort((a, b) => a - b),
      waits,
    );
    assert.equal(waits[0], 1_000);
    assert.equal(waits.at(-1), 300_000);
  });

  test('forgets an account that signed in, not an address', async () => {
    const at = attempt({ account: 'bea', address: '192.0.2.99' });
    for (let index = 0; index < 5; index += 1) await throttle.admit(at);
    await throttle.succeeded(at);
    assert.equal((await throttle.admit(at)).admitted, true);
    for (let index = 0; index < 31; index += 1) await throttle.failed(at);
    await throttle.succeeded(at);
    await throttle.admit({ ...at, account: 'someone' });
    const refused = await throttle.admit({ ...at, account: 'another' });
    assert(!refused.admitted && refused.by === 'address');
    assert.equal((await throttle.admit(attempt({ account: 'carl', address: '192.0.2.98' }))).admitted, true);
  });

  test('counts addresses of a /64 as one (attack 49)', async () => {
    for (let index = 0; index < 31; index += 1) await throttle.failed(attempt({ address: `2001:db8:7::${index}` }));
    await throttle.admit(attempt({ account: 'x1', address: '2001:db8:7::abcd' }));
    assert.equal((await throttle.admit(attempt({ account: 'x2', address: '2001:db8:7::abcd' }))).admitted, false);
    assert.equal((await throttle.admit(attempt({ account: 'x3', address: '2001:db8:8::1' }))).admitted, true);
  });

  test('keeps tries for a browser that the account knows while strangers use up theirs', async () => {
    for (let index = 0; index < 20; index += 1)
      await throttle.admit(attempt({ account: 'dora', address: `203.0.113.${index}` }));
    assert.equal((await throttle.admit(attempt({ account: 'dora', address: '192.0.2.50' }))).admitted, false);
    assert.equal(
      (await throttle.admit(attempt({ account: 'dora', address: '192.0.2.50', knownBrowser: 'hers' }))).admitted,
      true,
    );
  });
});

const turns: number[] = [];

/** Counters that end each wait at once and note how long it would have been. */
function impatient(real: Counters): Counters {
  return {
    ...real,
    once: (key, ttl) => real.once(key, ttl),
    read: (key) => real.read(key),
    clear: (key) => real.clear(key),
    close: () => real.close(),
    async increment(key, window) {
      if (!key.endsWith(':turn')) return await real.increment(key, window);
      turns.push(window);
      await real.clear(key);
      return await real.increment(key, window);
    },
  };
}

describe('guessing at the sign-in page (attack 47)', () => {
  let at: SignInServer;
  before(async () => {
    at = await startSignInServer();
    await at.addUser('ada');
  });
  after(() => at.close());

  async function guess(
    username: string,
    address: string,
  ): Promise<{ readonly status: number; readonly retry: string | null }> {
    at.address = address;
    const visitor = openVisitor(at);
    const page = await visitor.get(`${at.issuer}/account`);
    const { status, headers } = await visitor.submit(page, 'password', { username, password: 'not the password' });
    return { status, retry: headers.get('retry-after') };
  }

  test('is slowed down alike for accounts that exist and those that do not, whatever the address', async () => {
    const answers: Record<string, number[]> = {};
    for (const username of ['ada', 'nobody']) {
      const statuses = await Promise.all(
        Array.from({ length: 20 }, (_, index) => guess(username, `198.51.100.${index}`)),
      );
      answers[username] = statuses.map((one) => one.status).sort();
      assert(statuses.filter((one) => one.status === 429).every((one) => Number(one.retry) >= 1));
    }
    assert((answers['ada'] ?? []).filter((status) => status === 429).length >= 3);
    assert.deepEqual(answers['ada']?.slice(0, 5), [400, 400, 400, 400, 400]);
    assert.deepEqual(answers['ada']?.slice(0, 5), answers['nobody']?.slice(0, 5));
    const throttled = at.events.filter((event) => event.type === 'user.throttled');
    assert(throttled.length >= 2);
    assert(!JSON.stringify(throttled).includes('nobody'));
  });

  test('takes the turns of strangers, not those of a browser that has signed in before', async () => {
    await at.addUser('owen');
    at.address = '192.0.2.1';
    const own = openVisitor(at);
    await own.submit(await own.get(`${at.issuer}/account`), 'password', { username: 'owen', password: PASSWORD });
    const account = await own.get(`${at.issuer}/account`);
    await own.submit(account, 'sign-out');
    const strangers = await Promise.all(Array.from({ length: 20 }, (_, index) => guess('owen', `203.0.113.${index}`)));
    assert(strangers.some(({ status }) => status === 429));
    at.address = '192.0.2.1';
    const back = await own.submit(await own.get(`${at.issuer}/account`), 'password', {
      username: 'owen',
      password: PASSWORD,
    });
    assert.match(back.body, /Signed in as/);
  });
});

describe('when the counters cannot say', () => {
  test('nobody signs in, and nothing of the password is told', async () => {
    const down = () => Promise.reject(new StoreUnavailable('the counters are away'));
    const at = await startSignInServer({
      counters: (real) => ({ once: down, increment: down, read: down, clear: down, close: () => real.close() }),
    });
    try {
      await at.addUser('ada');
      const visitor = openVisitor(at);
      const page = await visitor.get(`${at.issuer}/account`);
      for (const password of [PASSWORD, 'wrong']) {
        const answer = await visitor.submit(page, 'password', { username: 'ada', password });
        assert.equal(answer.status, 503);
        assert.equal(answer.headers.get('retry-after'), '5');
        assert(!answer.body.includes('counters'));
      }
      assert.equal([...visitor.cookies.keys()].includes('sallyport_account'), false);
    } finally {
      await at.close();
    }
  });
});
