import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { GENESIS_HASH, macOfHead } from '../audit-chain.ts';
import type { Sealer } from '../sealer.ts';
import type { Change, RecordsDatabase } from './database.ts';
import { sealRowsAnew } from './seal-anew.ts';
import type { Tables } from './tables.ts';

/** What a store hashes and seals with. */
export interface StoreSecrets {
  readonly sealer: Sealer;
  /** Chains the audit log. */
  readonly auditKey: Uint8Array;
  /** A keyed hash, in the place of what opens something to whoever knows it: nobody can try ids out on a stolen database. */
  hash(kind: HashKind, ...parts: readonly string[]): string;
}

export type HashKind = 'artifact' | 'user-code' | 'uid' | 'session';

/**
 * The secret of a store: 32 random bytes, kept in it under the sealer. Hashes are made with it rather than with the sealing
 * key, so that this key can be exchanged without any hash becoming another. It is made with the store; a store that holds
 * anything but lost it is refused, and so is a sealer that cannot open it.
 */
export async function readSecrets(database: RecordsDatabase, sealer: Sealer): Promise<StoreSecrets> {
  return secretsFrom(open(sealer, await find(database)), sealer);
}

/** The same for who may write: makes the secret of a new store, and seals all rows anew while the sealing key is being exchanged. */
export async function readOrMakeSecrets(database: RecordsDatabase, sealer: Sealer): Promise<StoreSecrets> {
  await database.migrate(async (change) => {
    // The head is made together with the secret: where it is there, a missing secret was not forgotten but taken out.
    const head = await change.selectFrom('audit_head').select('seq').executeTakeFirst();
    if (head !== undefined) return;
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const made = await change
      .insertInto('store_secrets')
      .values({ name: NAME, sealed: sealer.seal(secret, CONTEXT) })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (made.numInsertedOrUpdatedRows !== 1n) return; // another process was first
    // Whoever took out the secret, the head and the log with it would else be given a new log that verifies.
    for (const table of lastingTables) if (await holdsRows(change, table)) throw new Error(LOST);
    const start = { seq: 0, at: 0, hash: GENESIS_HASH };
    const mac = macOfHead(secretsFrom(secret, sealer).auditKey, start);
    await change
      .insertInto('audit_head')
      .values({ id: 1, ...start, mac })
      .execute();
  });
  const sealed = await find(database);
  const secret = open(sealer, sealed);
  // At each start, not at the first alone: a gateway that did not have the new key yet may have sealed with the old one since.
  if (sealer.opensOthers) await sealRowsAnew(database, sealer);
  if (!sealer.isCurrent(sealed)) {
    await database.change(async (change) => {
      await change
        .updateTable('store_secrets')
        .set({ sealed: sealer.seal(secret, CONTEXT) })
        .where('name', '=', NAME)
        .execute();
    });
  }
  return secretsFrom(secret, sealer);
}

async function find(database: RecordsDatabase): Promise<string> {
  const row = await database.reader
    .selectFrom('store_secrets')
    .select('sealed')
    .where('name', '=', NAME)
    .executeTakeFirst();
  if (row === undefined) throw new Error(LOST);
  return row.sealed;
}

async function holdsRows(change: Change, table: string): Promise<boolean> {
  const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(change);
  return rows.length > 0;
}

function open(sealer: Sealer, sealed: string): string {
  try {
    return sealer.open(sealed, CONTEXT);
  } catch {
    throw new Error('The database of records was made with another sealing key; give the one it was made with.');
  }
}

function secretsFrom(secret: string, sealer: Sealer): StoreSecrets {
  const bytes = Buffer.from(secret, 'base64url');
  const derive = (label: string): Uint8Array => new Uint8Array(hkdfSync('sha256', bytes, '', label, SECRET_BYTES));
  const hashKey = derive('hash');
  return {
    sealer,
    auditKey: derive('audit'),
    // JSON keeps the parts apart: ('a', 'bc') and ('ab', 'c') are not the same.
    hash: (kind, ...parts) =>
      createHmac('sha256', hashKey)
        .update(JSON.stringify([kind, ...parts]))
        .digest('base64url'),
  };
}

/** Every table but those that are made with the store itself. A new one that is left out does not compile. */
const lastingTables = Object.keys({
  consumers: true,
  api_keys: true,
  clients: true,
  users: true,
  removed_users: true,
  passkeys: true,
  artifacts: true,
  sessions: true,
  signing_keys: true,
  audit_log: true,
} satisfies Record<Exclude<keyof Tables, 'schema_version' | 'store_secrets' | 'audit_head'>, true>);

const LOST = 'The database of records has lost its own secret; restore a backup.';
const NAME = 'store';
const CONTEXT = 'store_secrets store';
const SECRET_BYTES = 32;
