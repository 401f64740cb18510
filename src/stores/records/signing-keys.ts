import type { Sealer } from '../sealer.ts';
import type { SigningKey, SigningKeys } from '../stores.ts';
import type { AuditTrail } from './audit-log.ts';
import { objectOf, orNull, orUndefined } from './columns.ts';
import type { Change, Reader, RecordsDatabase } from './database.ts';
import { sealedAs } from './seal-anew.ts';
import type { StoreSecrets } from './store-secrets.ts';
import type { SigningKeyRow } from './tables.ts';

export function signingKeys(database: RecordsDatabase, secrets: StoreSecrets, audit: AuditTrail): SigningKeys {
  return {
    list: async (use) => await read(database.reader, use, secrets.sealer),

    async rotate(use, decide) {
      return await database.change(async (change) => {
        // All processes share this lock, so that no two of them make a key at the same moment.
        await audit.lock(change);
        const { keys, events } = decide(await read(change, use, secrets.sealer));
        await change.deleteFrom('signing_keys').where('use', '=', use).execute();
        const rows = keys.map((key) => rowOf({ ...key, use }, secrets.sealer));
        if (rows.length > 0) await change.insertInto('signing_keys').values(rows).execute();
        await audit.record(change, events);
        return keys;
      });
    },
  };
}

async function read(db: Reader | Change, use: SigningKey['use'], sealer: Sealer): Promise<readonly SigningKey[]> {
  const query = db.selectFrom('signing_keys').selectAll().where('use', '=', use);
  const rows = await query.orderBy('created_at').orderBy('kid').execute();
  return rows.map((row) => signingKeyOf(row, sealer));
}

function signingKeyOf(row: SigningKeyRow, sealer: Sealer): SigningKey {
  return {
    kid: row.kid,
    use: row.use as SigningKey['use'], // written by `rowOf`
    alg: row.alg,
    publicJwk: objectOf(row.public_jwk),
    privateJwk: objectOf(sealer.open(row.sealed_private_jwk, sealedAs.privateJwk(row.kid))),
    createdAt: row.created_at,
    activeAt: row.active_at,
    retiredAt: orUndefined(row.retired_at),
    removeAt: orUndefined(row.remove_at),
  };
}

function rowOf(key: SigningKey, sealer: Sealer): SigningKeyRow {
  return {
    kid: key.kid,
    use: key.use,
    alg: key.alg,
    public_jwk: JSON.stringify(key.publicJwk),
    sealed_private_jwk: sealer.seal(JSON.stringify(key.privateJwk), sealedAs.privateJwk(key.kid)),
    created_at: key.createdAt,
    active_at: key.activeAt,
    retired_at: orNull(key.retiredAt),
    remove_at: orNull(key.removeAt),
  };
}
