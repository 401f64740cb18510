import { hash, randomFillSync } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** What an API key says of itself. */
export interface ParsedApiKey {
  /** Such as live or test. */
  readonly environment: string;
  /** The lookup id: no secret, it may stand in logs. */
  readonly id: string;
  /** base64url of SHA-256 over the secret part. */
  readonly secretHash: string;
}

/** A key that was just made. `key` is the one copy there will ever be of it. */
export interface NewApiKey extends ParsedApiKey {
  readonly key: string;
}

/**
 * Makes a key: `sp_<environment>_<id>_<secret><checksum>`. The id has 71 random bits and the secret 190; the checksum is
 * the CRC-32 of all before it in six digits of base 62, so that a scanner or a form can tell a key from a typo offline.
 * Throws where the environment is none that `isKeyEnvironment` knows.
 */
export function makeApiKey(environment: string): NewApiKey {
  if (!isKeyEnvironment(environment)) throw new Error(`${JSON.stringify(environment)} is no environment of a key`);
  const id = randomDigits(ID_LENGTH);
  const secret = randomDigits(SECRET_LENGTH);
  const checked = `${KEY_PREFIX}_${environment}_${id}_${secret}`;
  return { key: checked + checksum(checked), environment, id, secretHash: secretHash(secret) };
}

/**
 * Reads a key; undefined for anything else. The length is looked at before all else, and a text whose checksum does not
 * fit is not hashed: what costs anything is done for well-formed keys only.
 */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  if (text.length < SHORTEST || text.length > LONGEST || !KEY.test(text)) return undefined;
  const checksumAt = text.length - CHECKSUM_LENGTH;
  const secretAt = checksumAt - SECRET_LENGTH;
  if (text.slice(checksumAt) !== checksum(text.slice(0, checksumAt))) return undefined;
  return {
    environment: text.slice(KEY_PREFIX.length + 1, secretAt - ID_LENGTH - 2),
    id: text.slice(secretAt - ID_LENGTH - 1, secretAt - 1),
    secretHash: secretHash(text.slice(secretAt, checksumAt)),
  };
}

export function isKeyEnvironment(text: string): boolean {
  return ENVIRONMENT.test(text);
}

export function isKeyId(text: string): boolean {
  return ID.test(text);
}

/** True for the form in which the hash of a secret is stored: 32 octets in base64url. */
export function isSecretHash(text: string): boolean {
  return HASH.test(text);
}

/**
 * Whether two hashes are the same, in a time that does not depend on where they differ. Written out instead of
 * `timingSafeEqual`, which wants two buffers made for each request (bench: API key).
 */
export function sameSecretHash(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let at = 0; at < one.length; at += 1) difference |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return difference === 0;
}

/**
 * One round of SHA-256, on purpose: slow hashes and salts make up for passwords people choose. A secret of 190 random bits
 * is neither guessed nor in any table, so a slow hash would only slow down the gateway.
 */
function secretHash(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

/** Detects every change of one character and every swap of neighbours: each is a burst of fewer than 32 bits. */
function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let at = 0; at < CHECKSUM_LENGTH; at += 1) {
    digits = DIGITS.charAt(rest % DIGITS.length) + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}

/** Random digits of base 62, all equally likely: octets from 248 = 4 × 62 on are passed over. */
function randomDigits(length: number): string {
  const octets = new Uint8Array(2 * length);
  let digits = '';
  while (digits.length < length) {
    for (const octet of randomFillSync(octets)) {
      if (octet < 248 && digits.length < length) digits += DIGITS.charAt(octet % DIGITS.length);
    }
  }
  return digits;
}

const KEY_PREFIX = 'sp';

/** What a secret scanner looks for, in the common subset of regular expression dialects; docs/api-keys.md repeats it. */
export const KEY_SCANNER_PATTERN = String.raw`\bsp_[a-z0-9]{1,12}_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}\b`;

const ID_LENGTH = 12;
const SECRET_LENGTH = 32;
const CHECKSUM_LENGTH = 6;
const LONGEST_ENVIRONMENT = 12;
const SHORTEST = KEY_PREFIX.length + ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH + 3 + 1;
const LONGEST = SHORTEST - 1 + LONGEST_ENVIRONMENT;
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const KEY = /^sp_[a-z0-9]{1,12}_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}$/;
const ENVIRONMENT = /^[a-z0-9]{1,12}$/;
const ID = /^[0-9A-Za-z]{12}$/;
const HASH = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
