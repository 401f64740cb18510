import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../lib/json.ts';
import type { User } from '../stores/stores.ts';
import { hashPassword } from './password.ts';
import { passwordFaults } from './password-rules.ts';
import { parsePhc } from './phc-string.ts';

/** An account somebody wants to have: an administrator, the configuration or an upstream provider. */
export interface UserRequest {
  /** Folded to lower case, NFKC. */
  readonly username: string;
  /** Checked against the rules and hashed. Without it and `passwordHash` the account opens by passkey or upstream alone. */
  readonly password?: string | undefined;
  /** A PHC string of argon2id that was made elsewhere. */
  readonly passwordHash?: string | undefined;
  readonly claims?: JsonObject | undefined;
  /** `issuer|sub` of the upstream account it belongs to. */
  readonly upstream?: string | undefined;
  readonly disabled?: boolean | undefined;
}

/** What is wrong, and at which field of the request. */
export interface UserFault {
  readonly field: keyof UserRequest;
  readonly message: string;
}

export type UserAnswer =
  | { readonly user: User; readonly faults?: undefined }
  | { readonly user?: undefined; readonly faults: readonly UserFault[] };

/**
 * Makes the record of an account, with an id that was never used, or says all that is wrong with the request. Whether the
 * name is free only the store knows. Rejects with TooManyHashings in a flood.
 */
export async function newUser(request: UserRequest, now: number = Date.now()): Promise<UserAnswer> {
  const username = foldUsername(request.username);
  const faults: UserFault[] = [
    ...usernameFaults(username),
    ...passwordRequestFaults(request, username),
    ...claimFaults(request.claims),
    ...upstreamFaults(request.upstream),
  ];
  if (faults.length > 0) return { faults };
  const passwordHash = request.password === undefined ? request.passwordHash : await hashPassword(request.password);
  return {
    user: {
      id: newUserId(),
      username,
      passwordHash,
      totpSecret: undefined,
      passkeys: [],
      claims: request.claims ?? {},
      upstream: request.upstream,
      disabled: request.disabled ?? false,
      createdAt: now,
      updatedAt: now,
    },
  };
}

/** The one spelling under which a username is stored and looked for: two names that look alike are one account. */
export function foldUsername(typed: string): string {
  return typed.slice(0, MOST_TYPED).normalize('NFKC').trim().toLowerCase();
}

/** The `sub` of its tokens: 128 random bits, behind letters so that no id looks like an option on a command line. */
function newUserId(): string {
  return `usr_${randomBytes(16).toString('base64url')}`;
}

function usernameFaults(username: string): readonly UserFault[] {
  if (USERNAME.test(username)) return [];
  const message =
    'a username has 1 to 128 letters, digits and . _ - + @ and begins with a letter or a digit, such as ada or ada@example.com';
  return [{ field: 'username', message }];
}

/** More is not read of what people type. */
const MOST_TYPED = 512;
const USERNAME = /^[\p{L}\p{N}][\p{L}\p{N}\p{M}._@+-]{0,127}$/u;

function passwordRequestFaults(request: UserRequest, username: string): readonly UserFault[] {
  const { password, passwordHash } = request;
  if (password !== undefined && passwordHash !== undefined) {
    return [{ field: 'passwordHash', message: 'give either a password or its hash, not both' }];
  }
  if (passwordHash !== undefined && parsePhc(passwordHash) === undefined) {
    const message =
      'is not a PHC string of argon2id ($argon2id$v=19$m=…,t=…,p=…$salt$hash) with 7 to 64 MiB of memory and at most 256 MiB of memory × passes';
    return [{ field: 'passwordHash', message }];
  }
  if (password === undefined) return [];
  return passwordFaults(password, username).map((message) => ({ field: 'password', message }));
}

/** Claims go into every token and answer of userinfo: what identifies the account is not theirs to say. */
function claimFaults(claims: JsonObject | undefined): readonly UserFault[] {
  if (claims === undefined) return [];
  const reserved = Object.keys(claims).filter((name) => RESERVED_CLAIMS.has(name));
  const faults = reserved.map((name) => ({
    field: 'claims' as const,
    message: `the claim ${name} is set by the server`,
  }));
  if (JSON.stringify(claims).length <= MOST_CLAIMS) return faults;
  return [...faults, { field: 'claims', message: `the claims take more than ${MOST_CLAIMS} characters of JSON` }];
}

const MOST_CLAIMS = 8_192;
const RESERVED_CLAIMS: ReadonlySet<string> = new Set(
  'iss sub aud exp nbf iat jti auth_time nonce acr amr azp at_hash c_hash sid client_id scope cnf act'.split(' '),
);

function upstreamFaults(upstream: string | undefined): readonly UserFault[] {
  if (upstream === undefined || /^https?:\/\/[^\s|]+\|.{1,255}$/u.test(upstream)) return [];
  return [
    { field: 'upstream', message: 'is the issuer and the subject there, as https://login.example.com|248289761001' },
  ];
}
