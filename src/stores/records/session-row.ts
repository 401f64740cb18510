import type { Sealer } from '../sealer.ts';
import { sessionName } from '../session-name.ts';
import type { Session } from '../stores.ts';
import { listOf, objectIn, objectOf, orNull, orUndefined, textIn, textOfList } from './columns.ts';
import { sealedAs } from './seal-anew.ts';
import type { StoreSecrets } from './store-secrets.ts';
import type { SessionRow } from './tables.ts';

export function sessionRowOf(session: Session, secrets: StoreSecrets): SessionRow {
  const { clientId, claims, accessToken, refreshToken, idToken } = session;
  const idHash = secrets.hash('session', session.id);
  const sealed = JSON.stringify({ clientId, claims, accessToken, refreshToken, idToken });
  return {
    id_hash: idHash,
    name: sessionName(session.id),
    login: session.login,
    issuer: session.issuer,
    subject: session.subject,
    sid: orNull(session.sid),
    sealed: secrets.sealer.seal(sealed, sealedAs.session(idHash)),
    scopes: textOfList(session.scopes),
    token_expires_at: orNull(session.tokenExpiresAt),
    expires_at: session.expiresAt,
    idle_until: session.idleUntil,
    created_at: session.createdAt,
    version: session.version,
  };
}

/** `id` is that of the session where who asks has it, else its name: the row does not hold it. */
export function sessionOf(row: SessionRow, id: string, sealer: Sealer): Session {
  const sealed = objectOf(sealer.open(row.sealed, sealedAs.session(row.id_hash)));
  return {
    id,
    login: row.login,
    issuer: row.issuer,
    clientId: textIn(sealed['clientId']),
    subject: row.subject,
    sid: orUndefined(row.sid),
    claims: objectIn(sealed['claims']),
    accessToken: textIn(sealed['accessToken']),
    refreshToken: textIn(sealed['refreshToken']),
    idToken: textIn(sealed['idToken']),
    scopes: listOf(row.scopes),
    tokenExpiresAt: orUndefined(row.token_expires_at),
    expiresAt: row.expires_at,
    idleUntil: row.idle_until,
    createdAt: row.created_at,
    version: row.version,
  };
}
