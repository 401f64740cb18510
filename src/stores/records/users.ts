import { Conflict, type User, type Users } from '../stores.ts';
import type { AuditTrail } from './audit-log.ts';
import { isStorable } from './columns.ts';
import type { Change, Reader, RecordsDatabase } from './database.ts';
import { pageOf, rowsToRead } from './page-query.ts';
import type { StoreSecrets } from './store-secrets.ts';
import type { UserRow } from './tables.ts';
import { passkeyOf, passkeyRowsOf, userOf, userRowOf } from './user-row.ts';

export function users(database: RecordsDatabase, secrets: StoreSecrets, audit: AuditTrail): Users {
  const { reader } = database;
  const findBy = async (column: 'id' | 'username' | 'upstream', value: string): Promise<User | undefined> => {
    if (!isStorable(value)) return undefined;
    const rows = await reader.selectFrom('users').selectAll().where(column, '=', value).execute();
    return (await withPasskeys(reader, rows, secrets))[0];
  };
  const amend: Users['amend'] = async (id, amendment, events) =>
    await database.change(async (transaction) => {
      const query = transaction.selectFrom('users').selectAll().where('id', '=', id);
      const rows = await (database.dialect === 'postgres' ? query.forUpdate() : query).execute();
      const [user] = await withPasskeys(transaction, rows, secrets);
      const change = user === undefined ? undefined : amendment(user);
      if (user === undefined || change === undefined) return false;
      const changed = { ...user, ...change, id };
      const { created_at: _createdAt, ...values } = userRowOf(changed, secrets.sealer);
      await transaction.updateTable('users').set(values).where('id', '=', id).execute();
      if (change.passkeys !== undefined) {
        await transaction.deleteFrom('passkeys').where('user_id', '=', id).execute();
        await insertPasskeys(transaction, changed);
      }
      await audit.record(transaction, events);
      return true;
    });

  return {
    async create(user, events) {
      await database.change(async (change) => {
        const used = await change.selectFrom('removed_users').select('id').where('id', '=', user.id).executeTakeFirst();
        if (used !== undefined) throw new Conflict('The id belonged to a user who was removed.');
        await change.insertInto('users').values(userRowOf(user, secrets.sealer)).execute();
        await insertPasskeys(change, user);
        await audit.record(change, events);
      });
    },

    find: async (id) => await findBy('id', id),
    findByUsername: async (username) => await findBy('username', username),
    findByUpstream: async (upstream) => await findBy('upstream', upstream),

    async findByPasskey(passkeyId) {
      if (!isStorable(passkeyId)) return undefined;
      const query = reader.selectFrom('users').innerJoin('passkeys', 'passkeys.user_id', 'users.id');
      const rows = await query.selectAll('users').where('passkeys.id', '=', passkeyId).execute();
      return (await withPasskeys(reader, rows, secrets))[0];
    },

    async list(page) {
      const query = reader.selectFrom('users').selectAll().orderBy('id').limit(rowsToRead(page));
      const rows = await (page.after === undefined ? query : query.where('id', '>', page.after)).execute();
      const found = await withPasskeys(reader, rows, secrets);
      return pageOf(found, page, { cursor: (user) => user.id, item: (user) => user });
    },

    update: async (id, change, events) => await amend(id, () => change, events),
    amend,

    async remove(id, events) {
      return await database.change(async (change) => {
        const { numDeletedRows } = await change.deleteFrom('users').where('id', '=', id).executeTakeFirst();
        if (numDeletedRows === 0n) return false;
        await change.insertInto('removed_users').values({ id }).execute();
        await audit.record(change, events);
        return true;
      });
    },
  };
}

async function insertPasskeys(change: Change, user: User): Promise<void> {
  const rows = passkeyRowsOf(user);
  if (rows.length > 0) await change.insertInto('passkeys').values(rows).execute();
}

/** In the order of the rows. */
async function withPasskeys(reader: Reader, rows: readonly UserRow[], secrets: StoreSecrets): Promise<readonly User[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const found = await reader
    .selectFrom('passkeys')
    .selectAll()
    .where('user_id', 'in', ids)
    .orderBy('user_id')
    .orderBy('position')
    .execute();
  const byUser = Map.groupBy(found, (passkey) => passkey.user_id);
  return rows.map((row) => userOf(row, (byUser.get(row.id) ?? []).map(passkeyOf), secrets.sealer));
}
