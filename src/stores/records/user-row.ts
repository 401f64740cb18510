import type { Sealer } from '../sealer.ts';
import type { Passkey, User } from '../stores.ts';
import { bitOf, listOf, objectOf, orNull, orUndefined, textOfList } from './columns.ts';
import { sealedAs } from './seal-anew.ts';
import type { PasskeyRow, UserRow } from './tables.ts';

export function userOf(row: UserRow, passkeys: readonly Passkey[], sealer: Sealer): User {
  return {
    id: row.id,
    username: row.username,
    passwordHash: orUndefined(row.password_hash),
    totpSecret: row.sealed_totp === null ? undefined : sealer.open(row.sealed_totp, sealedAs.totp(row.id)),
    passkeys,
    claims: objectOf(row.claims),
    upstream: orUndefined(row.upstream),
    disabled: row.disabled === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export function userRowOf(user: User, sealer: Sealer): UserRow {
  return {
    id: user.id,
    username: user.username,
    password_hash: orNull(user.passwordHash),
    sealed_totp: user.totpSecret === undefined ? null : sealer.seal(user.totpSecret, sealedAs.totp(user.id)),
    claims: JSON.stringify(user.claims),
    upstream: orNull(user.upstream),
    disabled: bitOf(user.disabled),
    created_at: user.createdAt,
    updated_at: user.updatedAt,
  };
}

export function passkeyOf(row: PasskeyRow): Passkey {
  return {
    id: row.id,
    publicKey: row.public_key,
    counter: row.counter,
    transports: listOf(row.transports),
    name: row.name,
    createdAt: row.created_at,
  };
}

export function passkeyRowsOf(user: User): readonly PasskeyRow[] {
  return user.passkeys.map((passkey, position) => ({
    id: passkey.id,
    user_id: user.id,
    position,
    public_key: passkey.publicKey,
    counter: passkey.counter,
    transports: textOfList(passkey.transports),
    name: passkey.name,
    created_at: passkey.createdAt,
  }));
}
