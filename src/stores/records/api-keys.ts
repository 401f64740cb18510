import { sql } from 'kysely';
import type { ApiKey, ApiKeys } from '../stores.ts';
import { apiKeyOf, apiKeyRowOf } from './api-key-row.ts';
import type { AuditTrail } from './audit-log.ts';
import { isStorable } from './columns.ts';
import { compileOnce } from './compile-once.ts';
import { consumerOf } from './consumers.ts';
import type { Change, RecordsDatabase } from './database.ts';
import { insertRows } from './insert-rows.ts';
import { addUses } from './key-uses.ts';
import { pageOf, rowsToRead } from './page-query.ts';

export function apiKeys(database: RecordsDatabase, audit: AuditTrail): ApiKeys {
  const { reader } = database;
  const findRow = findWithConsumer(database);

  return {
    async insert(keys, events) {
      await database.change(async (change) => {
        await insertKeys(change, keys);
        await audit.record(change, events);
      });
    },

    async find(id) {
      if (!isStorable(id)) return undefined;
      const row = await findRow(id);
      if (row === undefined) return undefined;
      const consumer = {
        id: row.consumer_id,
        name: row.consumer_name,
        metadata: row.consumer_metadata,
        disabled: row.consumer_disabled,
        source: row.consumer_source,
        created_at: row.consumer_created_at,
      };
      return { key: apiKeyOf(row), consumer: consumerOf(consumer) };
    },

    async list(filter, page) {
      let query = reader.selectFrom('api_keys').selectAll();
      if (filter.consumerId !== undefined) query = query.where('consumer_id', '=', filter.consumerId);
      if (page.after !== undefined) query = query.where('id', '>', page.after);
      const rows = await query.orderBy('id').limit(rowsToRead(page)).execute();
      return pageOf(rows, page, { cursor: (row) => row.id, item: apiKeyOf });
    },

    async rotate({ oldId, newKey, overlapUntil }, events) {
      return await database.change(async (change) => {
        // One statement decides and marks: of two who rotate the same key at once, the second finds it replaced.
        const { numUpdatedRows } = await change
          .updateTable('api_keys')
          // An end that comes sooner stays.
          .set({
            replaced_by: newKey.id,
            expires_at: sql<number>`case when expires_at < ${overlapUntil} then expires_at else ${overlapUntil} end`,
          })
          .where('id', '=', oldId)
          .where('revoked_at', 'is', null)
          .where('replaced_by', 'is', null)
          .where((row) => row.or([row('expires_at', 'is', null), row('expires_at', '>', Date.now())]))
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return false;
        await insertKeys(change, [newKey]);
        await audit.record(change, events);
        return true;
      });
    },

    async revoke(id, at, events) {
      return await database.change(async (change) => {
        const query = change.updateTable('api_keys').set({ revoked_at: at });
        const { numUpdatedRows } = await query.where('id', '=', id).where('revoked_at', 'is', null).executeTakeFirst();
        if (numUpdatedRows === 0n) return false;
        await audit.record(change, events);
        return true;
      });
    },

    async remove(id, events) {
      return await database.change(async (change) => {
        const { numDeletedRows } = await change.deleteFrom('api_keys').where('id', '=', id).executeTakeFirst();
        if (numDeletedRows === 0n) return false;
        await audit.record(change, events);
        return true;
      });
    },

    async noteUses(uses, events) {
      await database.change(async (change) => {
        await addUses(change, uses);
        await audit.record(change, events);
      });
    },

    async count() {
      const row = await reader
        .selectFrom('api_keys')
        .select((select) => select.fn.countAll<number>().as('keys'))
        .executeTakeFirstOrThrow();
      return row.keys;
    },
  };
}

/** The look-up of every request with a key, so its text is made once. */
function findWithConsumer(database: RecordsDatabase) {
  const query = database.reader
    .selectFrom('api_keys')
    .innerJoin('consumers', 'consumers.id', 'api_keys.consumer_id')
    .selectAll('api_keys')
    .select([
      'consumers.name as consumer_name',
      'consumers.metadata as consumer_metadata',
      'consumers.disabled as consumer_disabled',
      'consumers.source as consumer_source',
      'consumers.created_at as consumer_created_at',
    ])
    .where('api_keys.id', '=', '');
  return compileOnce(database, query);
}

/** In the order of their ids, so that two who insert the same ones at once wait for each other instead of both failing. */
async function insertKeys(change: Change, keys: readonly ApiKey[]): Promise<void> {
  const rows = keys.map(apiKeyRowOf).sort((one, other) => (one.id < other.id ? -1 : 1));
  await insertRows(change, 'api_keys', rows);
}
