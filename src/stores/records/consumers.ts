import type { Consumer, Consumers, Source } from '../stores.ts';
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
      return await database.change(async (change) => {
        const { numDeletedRows } = await change.deleteFrom('consumers').where('id', '=', id).executeTakeFirst();
        if (numDeletedRows === 0n) return false;
        await audit.record(change, events); // its keys went with it: the tables say so
        return true;
      });
    },
  };
}

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
