import type { Consumer, Consumers, Events, Source } from '../stores.ts';
import type { AuditTrail } from './audit-log.ts';
import { bitOf, isStorable, objectOf } from './columns.ts';
import type { RecordsDatabase } from './database.ts';
import { pageOf, rowsToRead } from './page-query.ts';
import type { ConsumerRow } from './tables.ts';

export function consumers(database: RecordsDatabase, audit: AuditTrail): Consumers {
  const { reader } = database;
  const findBy = async (column: 'id' | 'name', value: string): Promise<Consumer | undefined> => {
    if (!isStorable(value)) return undefined;
    const row = await reader.selectFrom('consumers').selectAll().where(column, '=', value).executeTakeFirst();
    return row === undefined ? undefined : consumerOf(row);
  };

  return {
    async create(consumer, events) {
      await database.change(async (change) => {
        await change.insertInto('consumers').values(rowOf(consumer)).execute();
        await audit.record(change, events);
      });
    },

    find: async (id) => await findBy('id', id),
    findByName: async (name) => await findBy('name', name),

    async list(page) {
      const query = reader.selectFrom('consumers').selectAll().orderBy('id').limit(rowsToRead(page));
      const rows = await (page.after === undefined ? query : query.where('id', '>', page.after)).execute();
      return pageOf(rows, page, { cursor: (row) => row.id, item: consumerOf });
    },

    async update(id, change, events) {
      const values = {
        ...(change.name === undefined ? {} : { name: change.name }),
        ...(change.metadata === undefined ? {} : { metadata: JSON.stringify(change.metadata) }),
        ...(change.disabled === undefined ? {} : { disabled: bitOf(change.disabled) }),
      };
      return await database.change(async (transaction) => {
        // An update that changes nothing still answers whether there is something to change.
        const query = transaction.updateTable('consumers').set({ id, ...values });
        const { numUpdatedRows } = await query.where('id', '=', id).executeTakeFirst();
        if (numUpdatedRows === 0n) return false;
        await audit.record(transaction, events);
        return true;
      });
    },

    async remove(id, events) {
      if (await hasMoreKeysThan(database, id, KEYS_A_PART)) return await removeInParts(database, audit, id, events);
      return await database.change(async (change) => {
        const { numDeletedRows } = await change.deleteFrom('consumers').where('id', '=', id).executeTakeFirst();
        if (numDeletedRows === 0n) return false;
        await audit.record(change, events); // its keys went with it: the tables say so
        return true;
      });
    },
  };
}

/**
 * One statement over very many keys would take longer than a statement may. So the consumer is disabled first, which refuses
 * all its keys at once and for good; where what follows fails, removing it again goes on from there.
 */
async function removeInParts(
  database: RecordsDatabase,
  audit: AuditTrail,
  id: string,
  events: Events,
): Promise<boolean> {
  const isThere = await database.change(async (change) => {
    const query = change.updateTable('consumers').set({ disabled: bitOf(true) });
    const { numUpdatedRows } = await query.where('id', '=', id).executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    await audit.record(change, events);
    return true;
  });
  if (!isThere) return false;
  for (let part = KEYS_A_PART; part === KEYS_A_PART; ) {
    part = await database.change(async (change) => {
      const some = change.selectFrom('api_keys').select('id').where('consumer_id', '=', id).limit(KEYS_A_PART);
      return Number((await change.deleteFrom('api_keys').where('id', 'in', some).executeTakeFirst()).numDeletedRows);
    });
  }
  await database.change(async (change) => {
    // One that was enabled meanwhile is wanted again.
    await change.deleteFrom('consumers').where('id', '=', id).where('disabled', '=', bitOf(true)).execute();
  });
  return true;
}

async function hasMoreKeysThan({ reader }: RecordsDatabase, id: string, bound: number): Promise<boolean> {
  const keys = reader.selectFrom('api_keys').select('id').where('consumer_id', '=', id).orderBy('id');
  return (await keys.offset(bound).limit(1).executeTakeFirst()) !== undefined;
}

const KEYS_A_PART = 1_000;

export function consumerOf(row: ConsumerRow): Consumer {
  return {
    id: row.id,
    name: row.name,
    metadata: objectOf(row.metadata),
    disabled: row.disabled === 1,
    source: row.source as Source, // written by `rowOf`
    createdAt: row.created_at,
  };
}

function rowOf(consumer: Consumer): ConsumerRow {
  return {
    id: consumer.id,
    name: consumer.name,
    metadata: JSON.stringify(consumer.metadata),
    disabled: bitOf(consumer.disabled),
    source: consumer.source,
    created_at: consumer.createdAt,
  };
}
