import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createHashQueue, TooManyHashings } from './hash-queue.ts';
import { hashPassword, needsRehash, verifyPassword } from './password.ts';
import { passwordFaults } from './password-rules.ts';
import { formatPhc, parsePhc } from './phc-string.ts';

const PASSWORD = 'a quiet harbour at dawn';

describe('password hashes', () => {
  test('open for their password alone, and look different each time', async () => {
    const [one, two] = await Promise.all([hashPassword(PASSWORD), hashPassword(PASSWORD)]);
    assert.notEqual(one, two);
    assert.match(one, /^\$argon2id\$v=19\$m=32768,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.equal(await verifyPassword(PASSWORD, one), true);
    assert.equal(await verifyPassword(`${PASSWORD}.`, one), false);
    assert.equal(needsRehash(one), false);
  });

  test('take the same password typed in another normal form', async () => {
    const stored = await hashPassword('caf\u00e9 on the harbour');
    assert.equal(await verifyPassword('cafe\u0301 on the harbour', stored), true);
  });

  test('verify a hash that another program made', async () => {
    // From the reference implementation: echo -n "password" | argon2 somesalt -id -t 2 -m 16 -p 1
    const foreign = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    assert.equal(await verifyPassword('password', foreign), true);
    assert.equal(await verifyPassword('passwort', foreign), false);
    assert.equal(needsRehash(foreign), true);
  });

  test('nobody has no password, whatever is tried', async () => {
    assert.equal(await verifyPassword(PASSWORD, undefined), false);
    assert.equal(await verifyPassword('', undefined), false);
  });

  test('no account and no usable hash cost one hashing, as a real one does (attack 47)', async () => {
    const stored = await hashPassword(PASSWORD);
    for (const hash of [stored, undefined, 'no hash at all']) {
      const queue = createHashQueue({ atOnce: 1, waiting: 1 });
      let runs = 0;
      await verifyPassword(PASSWORD, hash, {
        run(work) {
          runs += 1;
          return queue.run(work);
        },
      });
      assert.equal(runs, 1);
    }
  });

  test('a password beyond all that is accepted is wrong, also where its beginning is right', async () => {
    const long = 'abcdefgh '.repeat(57).slice(0, 512);
    const stored = await hashPassword(long);
    assert.equal(await verifyPassword(`${long}x`, stored), false);
  });

  test('crafted hashes cost nothing and open nothing', async () => {
    const salt = new Uint8Array(16);
    const tag = new Uint8Array(32);
    const good = { memory: 32_768, passes: 2, parallelism: 1, salt, tag };
    assert.notEqual(parsePhc(formatPhc(good)), undefined);
    for (const bad of [
      { ...good, memory: 4_194_304 },
      { ...good, passes: 999 },
      { ...good, memory: 65_536, passes: 5 },
      { ...good, parallelism: 64 },
      { ...good, memory: 8 },
      { ...good, salt: new Uint8Array(4) },
      { ...good, tag: new Uint8Array(8) },
    ]) {
      assert.equal(parsePhc(formatPhc(bad)), undefined);
      assert.equal(needsRehash(formatPhc(bad)), true);
    }
    for (const text of [
      '',
      '$2b$12$abc',
      `${formatPhc(good)}$`,
      formatPhc(good).replace('argon2id', 'argon2i'),
      'x'.repeat(1e6),
    ]) {
      assert.equal(parsePhc(text), undefined);
      assert.equal(await verifyPassword('', text), false);
    }
  });
});

describe('the queue before hashing', () => {
  test('runs so many at a time, lets so many wait and turns the rest away', async () => {
    const queue = createHashQueue({ atOnce: 2, waiting: 3 });
    let running = 0;
    let most = 0;
    const work = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    const all = await Promise.allSettled(Array.from({ length: 9 }, () => queue.run(work)));
    assert.equal(most, 2);
    assert.equal(all.filter((one) => one.status === 'fulfilled').length, 5);
    assert(all.every((one) => one.status === 'fulfilled' || one.reason instanceof TooManyHashings));
    await queue.run(work);
  });

  test('goes on after work that failed', async () => {
    const queue = createHashQueue({ atOnce: 1, waiting: 1 });
    const failing = queue.run(() => Promise.reject(new Error('as it happens')));
    const next = queue.run(() => Promise.resolve('done'));
    await assert.rejects(failing, /as it happens/);
    assert.equal(await next, 'done');
  });
});

describe('rules for passwords', () => {
  for (const [password, why] of [
    ['short', /at least 12/],
    ['x'.repeat(257), /more than 256/],
    ['aaaaaaaaaaaaaaaa', /too few different/],
    ['abababababababab', /too few different/],
    ['Password1234!', /first that are tried/],
    ['correcthorsebatterystaple', /first that are tried/],
    ['1234567890123456', /first that are tried/],
    ['qwertyuiopasdf', /first that are tried/],
    ['ada.lovelace42', /little more than the username/],
    ['with a \u0000 inside', /control characters/],
  ] as const) {
    test(`refuse ${JSON.stringify(password.slice(0, 30))}`, () => {
      const [fault = ''] = passwordFaults(password, 'ada.lovelace');
      assert.match(fault, why);
      assert(!fault.includes(password));
    });
  }

  for (const password of [
    'a quiet harbour at dawn',
    'ada.lovelace sails at dawn',
    'xkq7-mvp2-zzt9',
    '😀😁😂🤣😃😄😅😆😉😊😋😎',
    `${'x'.repeat(200)}abcdefg`,
  ]) {
    test(`take ${JSON.stringify(password.slice(0, 30))}`, () => {
      assert.deepEqual(passwordFaults(password, 'ada.lovelace'), []);
    });
  }
});
