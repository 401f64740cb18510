import { type RawBuilder, sql } from 'kysely';
import type { Session, Sessions } from '../stores.ts';
import type { AuditTrail } from './audit-log.ts';
import { isStorable } from './columns.ts';
import { compileOnce } from './compile-once.ts';
import type { RecordsDatabase } from './database.ts';
import { pageOf, rowsToRead } from './page-query.ts';
import { sessionOf, sessionRowOf } from './session-row.ts';
import type { StoreSecrets } from './store-secrets.ts';
import { sweepTable } from './sweep-table.ts';

export function sessions(database: RecordsDatabase, secrets: StoreSecrets, audit: AuditTrail): Sessions {
  const { reader } = database;
  const findRow = compileOnce(database, reader.selectFrom('sessions').selectAll().where('id_hash', '=', ''));
  const removeOne = async (isIt: RawBuilder<boolean>, events: Parameters<Sessions['remove']>[1]): Promise<boolean> =>
    await database.change(async (change) => {
      const { numDeletedRows } = await change.deleteFrom('sessions').where(isIt).executeTakeFirst();
      if (numDeletedRows === 0n) return false;
      await audit.record(change, events);
      return true;
    });

  return {
    async create(session, events) {
      await database.change(async (change) => {
        await change.insertInto('sessions').values(sessionRowOf(session, secrets)).execute();
        await audit.record(change, events);
      });
    },

    async find(id) {
      const row = await findRow(secrets.hash('session', id));
      if (row === undefined || hasEnded(row, Date.now())) return undefined;
      return sessionOf(row, id, secrets.sealer);
    },

    async update(session, events) {
      const row = sessionRowOf({ ...session, version: session.version + 1 }, secrets);
      const { id_hash: idHash, created_at: _createdAt, ...changed } = row;
      const now = Date.now();
      return await database.change(async (change) => {
        const { numUpdatedRows } = await change
          .updateTable('sessions')
          .set(changed)
          .where('id_hash', '=', idHash)
          .where('version', '=', session.version)
          .where('expires_at', '>', now)
          .where('idle_until', '>', now) // what has ended does not begin again
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return false;
        await audit.record(change, events);
        return true;
      });
    },

    remove: async (id, events) => await removeOne(sql`id_hash = ${secrets.hash('session', id)}`, events),
    removeByName: async (name, events) =>
      isStorable(name) && (await removeOne(sql`(name = ${name} or name is null and id_hash = ${name})`, events)),

    async removeBySid({ issuer, sid, subject }, events) {
      if (sid === undefined && subject === undefined) {
        throw new TypeError('Say which sessions are to be removed: a sid, a subject or both.');
      }
      return await database.change(async (change) => {
        let query = change.deleteFrom('sessions').where('issuer', '=', issuer);
        if (sid !== undefined) query = query.where('sid', '=', sid);
        if (subject !== undefined) query = query.where('subject', '=', subject);
        const { numDeletedRows } = await query.executeTakeFirst();
        if (numDeletedRows > 0n) await audit.record(change, events);
        return Number(numDeletedRows);
      });
    },

    async list(filter, page) {
      const now = Date.now();
      let query = reader.selectFrom('sessions').selectAll();
      query = query.where('expires_at', '>', now).where('idle_until', '>', now);
      if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject);
      if (page.after !== undefined) query = query.where('id_hash', '>', page.after);
      const rows = await query.orderBy('id_hash').limit(rowsToRead(page)).execute();
      return pageOf(rows, page, {
        cursor: (row) => row.id_hash,
        item: (row): Session => sessionOf(row, row.name ?? row.id_hash, secrets.sealer),
      });
    },

    sweep: async (now) =>
      await sweepTable(database, 'sessions', sql<boolean>`(expires_at <= ${now} or idle_until <= ${now})`),
  };
}

function hasEnded(row: { readonly expires_at: number; readonly idle_until: number }, now: number): boolean {
  return row.expires_at <= now || row.idle_until <= now;
}
