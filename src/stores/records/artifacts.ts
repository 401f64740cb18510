import { sql } from 'kysely';
import type { Artifact, Artifacts, StoredArtifact } from '../artifacts.ts';
import { artifactOf, artifactRowOf } from './artifact-row.ts';
import type { AuditTrail } from './audit-log.ts';
import type { Change, RecordsDatabase } from './database.ts';
import { pageOf, rowsToRead } from './page-query.ts';
import { removeGrants, removeOwned } from './removed-grants.ts';
import type { StoreSecrets } from './store-secrets.ts';
import { sweepTable } from './sweep-table.ts';

export function artifacts(database: RecordsDatabase, secrets: StoreSecrets, audit: AuditTrail): Artifacts {
  const { reader } = database;
  const findBy = async (
    column: 'id_hash' | 'user_code_hash' | 'uid_hash',
    hash: string,
    model: string,
  ): Promise<StoredArtifact | undefined> => {
    const query = reader.selectFrom('artifacts').selectAll().where(column, '=', hash).where('model', '=', model);
    const alive = query.where((row) => row.or([row('expires_at', 'is', null), row('expires_at', '>', Date.now())]));
    const row = await alive.executeTakeFirst();
    return row === undefined ? undefined : artifactOf(row, secrets.sealer);
  };

  const write = async (change: Change, artifact: Artifact): Promise<void> => {
    const row = artifactRowOf(artifact, secrets);
    // What was consumed stays so, whatever is written over it: only `consume` decides who was first.
    const { id_hash: _id, model: _model, consumed_at: _consumedAt, ...changed } = row;
    const insert = change.insertInto('artifacts').values(row);
    await insert.onConflict((conflict) => conflict.column('id_hash').doUpdateSet(changed)).execute();
  };
  const consume = async (change: Change, model: string, id: string, at: number): Promise<boolean> => {
    const { numUpdatedRows } = await change
      .updateTable('artifacts')
      .set({ consumed_at: at })
      .where('id_hash', '=', secrets.hash('artifact', model, id))
      .where('consumed_at', 'is', null)
      .where((row) => row.or([row('expires_at', 'is', null), row('expires_at', '>', Date.now())]))
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  };

  return {
    async upsert(artifact, events = []) {
      await database.change(async (change) => {
        await write(change, artifact);
        await audit.record(change, events);
      });
    },

    find: async (model, id) => await findBy('id_hash', secrets.hash('artifact', model, id), model),
    findByUserCode: async (model, code) =>
      await findBy('user_code_hash', secrets.hash('user-code', model, code), model),
    findByUid: async (model, uid) => await findBy('uid_hash', secrets.hash('uid', model, uid), model),

    consume: async (model, id, at) => await database.change(async (change) => await consume(change, model, id, at)),

    async replace({ model, id, at }, successor) {
      return await database.change(async (change) => {
        const isFirst = await consume(change, model, id, at);
        if (isFirst) await write(change, successor);
        return isFirst;
      });
    },

    async destroy(model, id) {
      await database.change(async (change) => {
        await change
          .deleteFrom('artifacts')
          .where('id_hash', '=', secrets.hash('artifact', model, id))
          .execute();
      });
    },

    async revokeGrant(grantId, events) {
      await database.change(async (change) => {
        await removeGrants(change, [grantId], secrets);
        await audit.record(change, events);
      });
    },

    async revokeAll(owner, events) {
      return await database.change(async (change) => {
        const grants = await removeOwned(change, owner, secrets);
        await audit.record(change, events);
        return grants;
      });
    },

    async list({ model, accountId, clientId }, page) {
      let query = reader.selectFrom('artifacts').selectAll().where('model', '=', model);
      query = query.where((row) => row.or([row('expires_at', 'is', null), row('expires_at', '>', Date.now())]));
      if (accountId !== undefined) query = query.where('account_id', '=', accountId);
      if (clientId !== undefined) query = query.where('client_id', '=', clientId);
      if (page.after !== undefined) query = query.where('id_hash', '>', page.after);
      const rows = await query.orderBy('id_hash').limit(rowsToRead(page)).execute();
      return pageOf(rows, page, {
        cursor: (row) => row.id_hash,
        item: (row) => artifactOf(row, secrets.sealer),
      });
    },

    sweep: async (now) => await sweepTable(database, 'artifacts', sql<boolean>`expires_at <= ${now}`),
  };
}
