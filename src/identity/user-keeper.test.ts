import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verifyPassword } from './password.ts';
import { foldUsername, newUser } from './user-keeper.ts';

const PASSWORD = 'a quiet harbour at dawn';

describe('new accounts', () => {
  test('get an id of their own, a folded name and a hash', async () => {
    const { user } = await newUser(
      { username: ' Ada@Example.com ', password: PASSWORD, claims: { name: 'Ada' } },
      1_000,
    );
    assert(user !== undefined);
    assert.match(user.id, /^usr_[\w-]{22}$/);
    assert.equal(user.username, 'ada@example.com');
    assert.equal(await verifyPassword(PASSWORD, user.passwordHash), true);
    assert.deepEqual([user.createdAt, user.updatedAt, user.disabled, user.passkeys], [1_000, 1_000, false, []]);
    const other = await newUser({ username: 'ada', upstream: 'https://login.example.com|1' });
    assert.notEqual(other.user?.id, user.id);
    assert.equal(other.user?.passwordHash, undefined);
  });

  test('all that is wrong is told at once, with its field', async () => {
    const { faults } = await newUser({
      username: '-rf /',
      password: 'short',
      claims: { sub: 'root', name: 'x' },
      upstream: 'nowhere',
    });
    assert.deepEqual(
      faults?.map((fault) => fault.field),
      ['username', 'password', 'claims', 'upstream'],
    );
  });

  test('a hash from elsewhere is taken in bounds only, and not beside a password', async () => {
    const passwordHash = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    assert.equal((await newUser({ username: 'ada', passwordHash })).user?.passwordHash, passwordHash);
    for (const request of [
      { passwordHash: '$2b$12$abcdefghijklmnopqrstuv' },
      { passwordHash: passwordHash.replace('t=2', 't=200') },
      { passwordHash, password: PASSWORD },
    ]) {
      const { faults } = await newUser({ username: 'ada', ...request });
      assert.deepEqual(
        faults?.map((fault) => fault.field),
        ['passwordHash'],
      );
    }
  });

  test('names that look alike are one name', () => {
    assert.equal(foldUsername('ＡＤＡ'), 'ada');
    assert.equal(foldUsername('ADA'), foldUsername('ada '));
  });

  for (const username of ['', ' ', 'a b', 'a/b', '<b>', 'a\u202eb', 'a'.repeat(129), '@ada']) {
    test(`${JSON.stringify(username.slice(0, 12))} is no username`, async () => {
      assert.deepEqual(
        (await newUser({ username })).faults?.map((fault) => fault.field),
        ['username'],
      );
    });
  }
});
