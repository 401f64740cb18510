import { type Kysely, sql } from 'kysely';
import type { Dialect } from '../database.ts';

/** The name of a session that the audit log has, by which it is listed and ended. Sessions from before get theirs when they are next written. */
export async function nameSessions(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const name = dialect === 'postgres' ? sql`text collate "C"` : 'text';
  await db.schema.alterTable('sessions').addColumn('name', name).execute();
  await db.schema.createIndex('sessions_by_name').on('sessions').column('name').execute();
}
