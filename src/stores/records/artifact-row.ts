import type { Artifact, StoredArtifact } from '../artifacts.ts';
import type { Sealer } from '../sealer.ts';
import { objectIn, objectOf, orNull, orUndefined, textIn } from './columns.ts';
import { sealedAs } from './seal-anew.ts';
import type { StoreSecrets } from './store-secrets.ts';
import type { ArtifactRow } from './tables.ts';

/** What opens something to whoever knows it (the id, the user code, the uid) is sealed with the payload and found by its hash. */
export function artifactRowOf(artifact: Artifact, secrets: StoreSecrets): ArtifactRow {
  const { model, id, payload, userCode, uid } = artifact;
  const idHash = secrets.hash('artifact', model, id);
  const sealed = JSON.stringify({ id, payload, userCode, uid });
  return {
    id_hash: idHash,
    model,
    sealed: secrets.sealer.seal(sealed, sealedAs.artifact(idHash)),
    expires_at: orNull(artifact.expiresAt),
    grant_id: orNull(artifact.grantId),
    user_code_hash: userCode === undefined ? null : secrets.hash('user-code', model, userCode),
    uid_hash: uid === undefined ? null : secrets.hash('uid', model, uid),
    account_id: orNull(artifact.accountId),
    client_id: orNull(artifact.clientId),
    consumed_at: null,
  };
}

export function artifactOf(row: ArtifactRow, sealer: Sealer): StoredArtifact {
  const sealed = objectOf(sealer.open(row.sealed, sealedAs.artifact(row.id_hash)));
  return {
    model: row.model,
    id: String(sealed['id']),
    payload: objectIn(sealed['payload']),
    expiresAt: orUndefined(row.expires_at),
    grantId: orUndefined(row.grant_id),
    userCode: textIn(sealed['userCode']),
    uid: textIn(sealed['uid']),
    accountId: orUndefined(row.account_id),
    clientId: orUndefined(row.client_id),
    consumedAt: orUndefined(row.consumed_at),
  };
}
