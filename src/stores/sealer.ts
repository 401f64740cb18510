import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { createFileOnce, readIfPresent } from '../lib/private-files.ts';

/**
 * Encrypts what the stores keep of secrets: AES-256-GCM under a fresh nonce. The context says where the text belongs
 * (table and row); a sealed text that was moved elsewhere does not open there.
 */
export interface Sealer {
  seal(text: string, context: string): string;
  /** Throws SealBroken where it was sealed under another key or context, or was changed. */
  open(sealed: string, context: string): string;
  /** Whether it was sealed under the first key: what was not is to be sealed anew before its key is taken out. */
  isCurrent(sealed: string): boolean;
  /** Whether it opens what other keys than the first have sealed. */
  readonly opensOthers: boolean;
  /** Bytes for a purpose of its own, from the first key by HKDF-SHA-256 (RFC 5869): other bytes for each label and first key. */
  derive(label: string, bytes: number): Uint8Array;
}

/** What was sealed does not open: another key, another place, or it was changed. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
}

/** The first key seals, all of them open, so that a key is exchanged by putting a new one in front. Keys have 32 bytes. */
export function createSealer(keys: readonly Uint8Array[]): Sealer {
  const known = keys.map(expand);
  const [first] = known;
  if (first === undefined) throw new TypeError('A sealer needs one key at least.');
  const byId = new Map(known.map((key) => [key.id, key]));
  return {
    seal(text, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', first.encryption, nonce);
      cipher.setAAD(Buffer.from(context));
      const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${VERSION}.${first.id}.${sealed.toString('base64url')}`;
    },
    open(sealed, context) {
      const [version, id, body, ...rest] = sealed.split('.');
      const key = byId.get(id ?? '');
      if (version !== VERSION || body === undefined || rest.length > 0) throw new SealBroken('This is no sealed text.');
      if (key === undefined) throw new SealBroken('It was sealed with a key that is not among the sealing keys.');
      return decrypt(key.encryption, Buffer.from(body, 'base64url'), context);
    },
    opensOthers: byId.size > 1,
    isCurrent: (sealed) => sealed.startsWith(`${VERSION}.${first.id}.`),
    derive: (label, bytes) => new Uint8Array(hkdfSync('sha256', first.derivation, '', `sallyport ${label}`, bytes)),
  };
}

/**
 * The sealing key of a file of base64, made where there is none: 32 random bytes that only the owner may read. Rejects where
 * others may read the file, or it holds something else.
 */
export async function readOrMakeSealingKey(file: string): Promise<Uint8Array> {
  const present = await readIfPresent(file);
  const text = present ?? (await createFileOnce(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`, 0o600));
  const { mode } = await stat(file);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new Error(`${file} holds the sealing key, and others than its owner may read or change it: chmod 600 it.`);
  }
  return parseSealingKey(text, file);
}

/** A sealing key from its text, base64 or base64url of 32 bytes. `name` says in the error where it came from. */
export function parseSealingKey(text: string, name: string): Uint8Array {
  const trimmed = text.trim();
  const key = Buffer.from(trimmed, 'base64');
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed) || key.length !== KEY_BYTES) {
    throw new Error(`${name} must be the base64 of 32 random bytes, as "openssl rand -base64 32" prints them.`);
  }
  return new Uint8Array(key);
}

interface SealingKey {
  /** Names the key in what it sealed; a hash tells nothing of it. */
  readonly id: string;
  readonly encryption: Uint8Array;
  readonly derivation: Uint8Array;
}

/** One key for each purpose: what is derived for others never meets the cipher's key. */
function expand(key: Uint8Array): SealingKey {
  if (key.length !== KEY_BYTES) throw new TypeError(`A sealing key has ${KEY_BYTES} bytes, not ${key.length}.`);
  const part = (label: string): Uint8Array => new Uint8Array(hkdfSync('sha256', key, '', label, KEY_BYTES));
  const id = createHash('sha256').update(part('sallyport key id')).digest('base64url').slice(0, 8);
  return { id, encryption: part('sallyport seal'), derivation: part('sallyport derive') };
}

function decrypt(key: Uint8Array, bytes: Buffer, context: string): string {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new SealBroken('This is no sealed text.');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    // OpenSSL's own error says less, and nothing of the text may be used.
    throw new SealBroken('It was changed since it was sealed, or belongs elsewhere.');
  }
}

const VERSION = 's1';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
