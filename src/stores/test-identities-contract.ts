import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Conflict, type Records } from './stores.ts';
import { clientNamed, signingKeyNamed, unique, userNamed } from './test-records.ts';

/** OAuth clients, users and signing keys. */
export function identitiesContract(records: () => Records): void {
  describe('clients', () => {
    it('are found, changed, listed, counted and removed', async () => {
      const { clients } = records();
      const client = clientNamed(unique('client'), { source: 'registered' });
      const before = await clients.count('registered');
      await clients.create(client, []);
      assert.deepEqual(await clients.find(client.id), client);
      await assert.rejects(clients.create(client, []), Conflict);
      assert.equal(await clients.count('registered'), before + 1);
      const change = { secretHash: undefined, registrationTokenHash: 'dG9rZW4', disabled: true, updatedAt: 9 };
      assert.equal(await clients.update(client.id, change, []), true);
      assert.deepEqual(await clients.find(client.id), { ...client, ...change });
      assert.equal(await clients.update('nobody', change, []), false);
      assert.equal(await clients.update(client.id, ({ updatedAt }) => ({ updatedAt: updatedAt + 1 }), []), true);
      assert.equal(await clients.update(client.id, () => undefined, []), false);
      assert.deepEqual(await clients.find(client.id), { ...client, ...change, updatedAt: 10 });
      assert.ok((await clients.list({ limit: 1_000 })).items.some((item) => item.id === client.id));
      assert.equal(await clients.remove(client.id, []), true);
      assert.equal(await clients.remove(client.id, []), false);
      for (const id of [client.id, '\0', '\udfff']) assert.equal(await clients.find(id), undefined);
    });
  });

  describe('users', () => {
    const passkey = (id: string) => ({
      id,
      publicKey: 'cHVibGlj',
      counter: 2 ** 32 - 1,
      transports: ['usb', 'internal'],
      name: 'my phone',
      createdAt: 3,
    });

    it('are found by everything they sign in with', async () => {
      const { users } = records();
      const name = unique('ada').toLowerCase();
      const passkeys = [passkey(unique('z')), passkey(unique('a'))];
      const user = userNamed(name, { totpSecret: 'JBSWY3DPEHPK3PXP', passkeys, upstream: `https://idp|${name}` });
      await users.create(user, []);
      assert.deepEqual(await users.find(user.id), user);
      assert.deepEqual(await users.findByUsername(name), user);
      assert.deepEqual(await users.findByUpstream(`https://idp|${name}`), user);
      assert.deepEqual(await users.findByPasskey(passkeys[1]?.id ?? ''), user);
      for (const find of [users.find, users.findByUsername, users.findByUpstream, users.findByPasskey]) {
        for (const odd of ['', 'nobody', '\0']) assert.equal(await find(odd), undefined);
      }
    });

    it('are changed in part', async () => {
      const { users } = records();
      const user = userNamed(unique('bob'), { totpSecret: 'JBSWY3DPEHPK3PXP', passkeys: [passkey(unique('p'))] });
      await users.create(user, []);
      assert.equal(await users.update(user.id, { claims: { name: 'Bob' }, updatedAt: 7 }, []), true);
      assert.deepEqual(await users.find(user.id), { ...user, claims: { name: 'Bob' }, updatedAt: 7 });
      const others = [passkey(unique('q')), ...user.passkeys];
      await users.update(user.id, { passkeys: others, totpSecret: undefined, passwordHash: undefined }, []);
      const changed = await users.find(user.id);
      assert.deepEqual(changed?.passkeys, others);
      assert.equal(changed?.totpSecret, undefined);
      assert.equal(changed?.passwordHash, undefined);
      assert.equal(await users.update('nobody', { disabled: true }, []), false);
    });

    it('are amended one after the other, each from what the one before left', async () => {
      const { users } = records();
      const user = userNamed(unique('ann'), { passkeys: [passkey(unique('p'))] });
      await users.create(user, []);
      const more = Array.from({ length: 5 }, () => passkey(unique('q')));
      const added = await Promise.all(
        more.map((one) => users.amend(user.id, ({ passkeys }) => ({ passkeys: [...passkeys, one] }), [])),
      );
      assert(added.every(Boolean));
      const { passkeys } = (await users.find(user.id)) ?? {};
      assert.deepEqual(passkeys?.map(({ id }) => id).sort(), [...user.passkeys, ...more].map(({ id }) => id).sort());
      assert.equal(await users.amend(user.id, () => undefined, []), false);
      assert.equal(await users.amend('nobody', () => ({ disabled: true }), []), false);
    });

    it('share no name, account or passkey, and no id even with those who are gone', async () => {
      const { users } = records();
      const user = userNamed(unique('eve'), { passkeys: [passkey(unique('p'))], upstream: unique('up') });
      await users.create(user, []);
      const other = userNamed(unique('mallory'));
      for (const same of [
        { username: user.username },
        { upstream: user.upstream },
        { passkeys: user.passkeys },
        { id: user.id },
      ]) {
        await assert.rejects(users.create({ ...other, ...same }, []), Conflict);
        assert.equal(await users.findByUsername(other.username), undefined);
      }
      assert.equal(await users.remove(user.id, []), true);
      assert.equal(await users.remove(user.id, []), false);
      assert.equal(await users.findByPasskey(user.passkeys[0]?.id ?? ''), undefined);
      await assert.rejects(users.create({ ...other, id: user.id }, []), Conflict);
      await users.create({ ...user, id: unique('user') }, []);
    });

    it('are listed with their passkeys', async () => {
      const { users } = records();
      const user = userNamed(unique('lis'), { passkeys: [passkey(unique('p'))] });
      await users.create(user, []);
      const { items } = await users.list({ limit: 1_000 });
      assert.deepEqual(
        items.find((item) => item.id === user.id),
        user,
      );
    });
  });

  describe('signing keys', () => {
    it('are replaced as a whole by who rotates, for one use at a time', async () => {
      const { signingKeys } = records();
      const [first, second] = [
        signingKeyNamed(unique('k')),
        signingKeyNamed(unique('k'), { createdAt: 2, retiredAt: 5 }),
      ];
      const identity = signingKeyNamed(unique('k'), { use: 'identity' });
      await signingKeys.rotate('identity', () => ({ keys: [identity], events: [] }));
      await signingKeys.rotate('oauth', (keys) => ({ keys: [...keys, first], events: [] }));
      await signingKeys.rotate('oauth', (keys) => ({ keys: [...keys, second], events: [] }));
      assert.deepEqual(await signingKeys.list('oauth'), [first, second]);
      await signingKeys.rotate('oauth', (keys) => ({ keys: keys.slice(1), events: [] }));
      assert.deepEqual(await signingKeys.list('oauth'), [second]);
      assert.deepEqual(await signingKeys.list('identity'), [identity]);
      const refuse = (): never => {
        throw new Error('no new key');
      };
      await assert.rejects(signingKeys.rotate('oauth', refuse), /no new key/);
      assert.deepEqual(await signingKeys.list('oauth'), [second]);
    });
  });
}
