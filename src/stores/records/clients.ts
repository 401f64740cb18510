import type { Client, Clients, Source } from '../stores.ts';
import type { AuditTrail } from './audit-log.ts';
import { bitOf, isStorable, objectOf, orNull, orUndefined } from './columns.ts';
import type { RecordsDatabase } from './database.ts';
import { pageOf, rowsToRead } from './page-query.ts';
import type { ClientRow } from './tables.ts';

export function clients(database: RecordsDatabase, audit: AuditTrail): Clients {
  const { reader } = database;
  return {
    async create(client, events) {
      await database.change(async (change) => {
        await change.insertInto('clients').values(rowOf(client)).execute();
        await audit.record(change, events);
      });
    },

    async find(id) {
      if (!isStorable(id)) return undefined;
      const row = await reader.selectFrom('clients').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : clientOf(row);
    },

    async list(page) {
      const query = reader.selectFrom('clients').selectAll().orderBy('id').limit(rowsToRead(page));
      const rows = await (page.after === undefined ? query : query.where('id', '>', page.after)).execute();
      return pageOf(rows, page, { cursor: (row) => row.id, item: clientOf });
    },

    async update(id, change, events) {
      return await database.change(async (transaction) => {
        const query = transaction.selectFrom('clients').selectAll().where('id', '=', id);
        const row = await (database.dialect === 'postgres' ? query.forUpdate() : query).executeTakeFirst();
        if (row === undefined) return false;
        const present = clientOf(row);
        const changed = typeof change === 'function' ? change(present) : change;
        if (changed === undefined) return false;
        const { source: _source, created_at: _createdAt, ...values } = rowOf({ ...present, ...changed, id });
        await transaction.updateTable('clients').set(values).where('id', '=', id).execute();
        await audit.record(transaction, events);
        return true;
      });
    },

    async remove(id, events) {
      return await database.change(async (change) => {
        const { numDeletedRows } = await change.deleteFrom('clients').where('id', '=', id).executeTakeFirst();
        if (numDeletedRows === 0n) return false;
        await audit.record(change, events);
        return true;
      });
    },

    async count(source) {
      const row = await reader
        .selectFrom('clients')
        .select((select) => select.fn.countAll<number>().as('clients'))
        .where('source', '=', source)
        .executeTakeFirstOrThrow();
      return row.clients;
    },
  };
}

function clientOf(row: ClientRow): Client {
  return {
    id: row.id,
    name: row.name,
    metadata: objectOf(row.metadata),
    secretHash: orUndefined(row.secret_hash),
    registrationTokenHash: orUndefined(row.registration_token_hash),
    disabled: row.disabled === 1,
    source: row.source as Source, // written by `rowOf`
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function rowOf(client: Client): ClientRow {
  return {
    id: client.id,
    name: client.name,
    metadata: JSON.stringify(client.metadata),
    secret_hash: orNull(client.secretHash),
    registration_token_hash: orNull(client.registrationTokenHash),
    disabled: bitOf(client.disabled),
    source: client.source,
    created_at: client.createdAt,
    updated_at: client.updatedAt,
  };
}
