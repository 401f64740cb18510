import type { Change } from './database.ts';
import type { StoreSecrets } from './store-secrets.ts';

/** Removes everything of some grants: what names the grant, and the grant itself. */
export async function removeGrants(change: Change, grantIds: readonly string[], secrets: StoreSecrets): Promise<void> {
  for (let from = 0; from < grantIds.length; from += IDS_A_STATEMENT) {
    const part = grantIds.slice(from, from + IDS_A_STATEMENT);
    const hashes = part.map((id) => secrets.hash('artifact', 'Grant', id));
    await change
      .deleteFrom('artifacts')
      .where((row) => row.or([row('grant_id', 'in', part), row('id_hash', 'in', hashes)]))
      .execute();
  }
}

/** Removes everything of an account or a client, and what else their grants gave; answers the ids of the grants. */
export async function removeOwned(
  change: Change,
  owner: { readonly accountId?: string; readonly clientId?: string },
  secrets: StoreSecrets,
): Promise<readonly string[]> {
  const { accountId, clientId } = owner;
  if (accountId === undefined && clientId === undefined) {
    throw new TypeError('Say whose artifacts are to be removed: an account, a client or both.');
  }
  let owned = change.selectFrom('artifacts').select('grant_id').distinct().where('grant_id', 'is not', null);
  let removal = change.deleteFrom('artifacts');
  if (accountId !== undefined) {
    owned = owned.where('account_id', '=', accountId);
    removal = removal.where('account_id', '=', accountId);
  }
  if (clientId !== undefined) {
    owned = owned.where('client_id', '=', clientId);
    removal = removal.where('client_id', '=', clientId);
  }
  const grantIds = (await owned.execute()).flatMap((row) => (row.grant_id === null ? [] : [row.grant_id]));
  await removeGrants(change, grantIds, secrets);
  await removal.execute();
  return grantIds;
}

const IDS_A_STATEMENT = 500;
