import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { AuditEvent } from './audit.ts';
import { Conflict, NotFound, type Records } from './stores.ts';
import { consumerNamed, keyOf, unique } from './test-records.ts';

/** Consumers and their keys. */
export function keysContract(records: () => Records): void {
  describe('consumers', () => {
    it('are found by id and name, changed and removed', async () => {
      const { consumers } = records();
      const consumer = consumerNamed(unique('c'), {
        metadata: { plan: 'gold', list: [1, { a: null }] },
        disabled: true,
      });
      await consumers.create(consumer, []);
      assert.deepEqual(await consumers.find(consumer.id), consumer);
      assert.deepEqual(await consumers.findByName(consumer.name), consumer);
      assert.equal(await consumers.update(consumer.id, { disabled: false, metadata: {} }, []), true);
      assert.deepEqual(await consumers.find(consumer.id), { ...consumer, disabled: false, metadata: {} });
      assert.equal(await consumers.update(consumer.id, {}, []), true);
      assert.equal(await consumers.update('nobody', { disabled: true }, []), false);
      assert.equal(await consumers.remove(consumer.id, []), true);
      assert.equal(await consumers.remove(consumer.id, []), false);
      assert.equal(await consumers.find(consumer.id), undefined);
    });

    it('have names and ids of their own', async () => {
      const { consumers } = records();
      const [one, other] = [consumerNamed(unique('c')), consumerNamed(unique('c'))];
      await consumers.create(one, []);
      await consumers.create(other, []);
      await assert.rejects(consumers.create({ ...one, name: unique('n') }, []), Conflict);
      await assert.rejects(consumers.create({ ...one, id: unique('c') }, []), Conflict);
      await assert.rejects(consumers.update(other.id, { name: one.name }, []), Conflict);
    });

    it('take their keys with them', async () => {
      const { consumers, keys } = records();
      const consumer = consumerNamed(unique('c'));
      await consumers.create(consumer, []);
      const key = keyOf(consumer.id);
      await keys.insert([key], []);
      await consumers.remove(consumer.id, []);
      assert.equal(await keys.find(key.id), undefined);
    });

    it('take very many keys with them, and are told of once', async () => {
      const { audit, consumers, keys } = records();
      const [consumer, other] = [consumerNamed(unique('c')), consumerNamed(unique('c'))];
      await consumers.create(consumer, []);
      await consumers.create(other, []);
      const left = keyOf(other.id);
      await keys.insert([...Array.from({ length: 2_100 }, () => keyOf(consumer.id)), left], []);
      const removed = { type: 'consumer.removed', actor: 'config', subject: `consumer:${consumer.id}` } as const;
      assert.equal(await consumers.remove(consumer.id, [removed]), true);
      assert.equal(await consumers.find(consumer.id), undefined);
      assert.equal((await keys.list({ consumerId: consumer.id }, { limit: 1 })).items.length, 0);
      assert.notEqual(await keys.find(left.id), undefined);
      assert.equal((await audit.list({ subject: removed.subject }, { limit: 9 })).items.length, 1);
      assert.equal(await consumers.remove(consumer.id, [removed]), false);
    });
  });

  describe('keys', () => {
    const consumer = consumerNamed(unique('c'));
    before(async () => await records().consumers.create(consumer, []));

    it('come back as they were, with their consumer', async () => {
      const { keys } = records();
      const bare = keyOf(consumer.id, { apis: undefined, cidrs: undefined, scopes: [], metadata: {} });
      const full = keyOf(consumer.id, {
        expiresAt: 5,
        revokedAt: 6,
        replacedBy: 'x',
        lastUsedAt: 7,
        lastUsedAddress: '::1',
        lastUsedRoute: 'widgets GET /',
        uses: 2 ** 40,
        source: 'config',
      });
      await keys.insert([bare, full], []);
      assert.deepEqual(await keys.find(bare.id), { key: bare, consumer });
      assert.deepEqual(await keys.find(full.id), { key: full, consumer });
      assert.equal(await keys.find('nothing'), undefined);
      for (const odd of ['', '\0', '\ud800', 'x'.repeat(100_000), "'; drop table api_keys; --"]) {
        assert.equal(await keys.find(odd), undefined);
      }
    });

    it('are inserted all or none', async () => {
      const { keys } = records();
      const taken = keyOf(consumer.id);
      await keys.insert([taken], []);
      const count = await keys.count();
      const many = Array.from({ length: 1_200 }, () => keyOf(consumer.id));
      await assert.rejects(keys.insert([...many, taken], [event('key.created')]), Conflict);
      await assert.rejects(keys.insert([...many, keyOf('nobody')], [event('key.created')]), NotFound);
      assert.equal(await keys.count(), count);
      await keys.insert(many, []);
      assert.equal(await keys.count(), count + many.length);
      for (const at of [0, 499, 500, 1_199]) assert.deepEqual((await keys.find(many[at]?.id ?? ''))?.key, many[at]);
      await keys.insert([], []);
    });

    it('are rotated once: the old one ends after the overlap, or sooner if it would', async () => {
      const { keys } = records();
      const [old, ending] = [keyOf(consumer.id), keyOf(consumer.id, { expiresAt: Date.now() + 1_000_000 })];
      await keys.insert([old, ending], []);
      const overlapUntil = Date.now() + 5_000_000;
      const fresh = keyOf(consumer.id);
      assert.equal(await keys.rotate({ oldId: old.id, newKey: fresh, overlapUntil }, []), true);
      assert.deepEqual((await keys.find(old.id))?.key, { ...old, replacedBy: fresh.id, expiresAt: overlapUntil });
      assert.deepEqual((await keys.find(fresh.id))?.key, fresh);
      await keys.rotate({ oldId: ending.id, newKey: keyOf(consumer.id), overlapUntil }, []);
      assert.equal((await keys.find(ending.id))?.key.expiresAt, ending.expiresAt);
      const again = keyOf(consumer.id);
      const gone = [keyOf(consumer.id, { expiresAt: Date.now() - 1 }), keyOf(consumer.id, { revokedAt: 1 })];
      await keys.insert(gone, []);
      for (const oldId of [old.id, 'nothing', ...gone.map((key) => key.id)]) {
        assert.equal(await keys.rotate({ oldId, newKey: again, overlapUntil }, [event('key.rotated')]), false);
      }
      assert.equal(await keys.find(again.id), undefined);
      await assert.rejects(keys.rotate({ oldId: fresh.id, newKey: old, overlapUntil }, []), Conflict);
      assert.equal((await keys.find(fresh.id))?.key.replacedBy, undefined);
    });

    it('are revoked once, and removed', async () => {
      const { keys } = records();
      const key = keyOf(consumer.id);
      await keys.insert([key], []);
      assert.equal(await keys.revoke(key.id, 123, []), true);
      assert.equal(await keys.revoke(key.id, 456, []), false);
      assert.equal((await keys.find(key.id))?.key.revokedAt, 123);
      assert.equal(await keys.revoke('nothing', 1, []), false);
      assert.equal(await keys.remove(key.id, []), true);
      assert.equal(await keys.remove(key.id, []), false);
    });

    it('add their uses up and keep the newest, in whatever order batches come', async () => {
      const { keys } = records();
      const [one, other] = [keyOf(consumer.id, { uses: 10 }), keyOf(consumer.id)];
      await keys.insert([one, other], []);
      const use = (id: string, uses: number, lastUsedAt: number) => ({
        id,
        uses,
        lastUsedAt,
        address: `a${lastUsedAt}`,
        route: `r${lastUsedAt}`,
      });
      await keys.noteUses([use(one.id, 2, 200), use('gone', 1, 1), use(one.id, 3, 300), use(one.id, 1, 100)], []);
      await keys.noteUses([use(one.id, 5, 250), use(other.id, 1, 50)], []);
      await keys.noteUses([], []);
      const noted = (await keys.find(one.id))?.key;
      assert.deepEqual(noted, { ...one, uses: 21, lastUsedAt: 300, lastUsedAddress: 'a300', lastUsedRoute: 'r300' });
      assert.equal((await keys.find(other.id))?.key.uses, 1);
    });

    it('are listed by pages in the order of their ids, of one consumer or all', async () => {
      const { consumers, keys } = records();
      const owner = consumerNamed(unique('c'));
      await consumers.create(owner, []);
      const mine = ['B', 'a', 'C', 'b', 'A'].map((letter) => keyOf(owner.id, { id: `${owner.id}-${letter}` }));
      await keys.insert(mine, []);
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await keys.list({ consumerId: owner.id }, { limit: 2, after });
        assert.ok(page.items.length <= 2);
        seen.push(...page.items.map((key) => key.id));
        after = page.next;
      } while (after !== undefined);
      assert.deepEqual(
        seen,
        ['A', 'B', 'C', 'a', 'b'].map((letter) => `${owner.id}-${letter}`),
      );
      const all = await keys.list({}, { limit: 100_000 });
      assert.equal(all.items.length, 1_000); // the most of one page
      assert.notEqual(all.next, undefined);
      await assert.rejects(keys.list({}, { limit: 0 }), RangeError);
    });
  });
}

function event(type: AuditEvent['type']): AuditEvent {
  return { type, actor: 'admin:test', subject: 'key:test' };
}
