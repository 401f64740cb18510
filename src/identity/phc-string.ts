/** What a PHC string of argon2id (version 19) says. `memory` is in KiB. */
export interface Argon2Hash {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly salt: Uint8Array;
  readonly tag: Uint8Array;
}

/** `$argon2id$v=19$m=…,t=…,p=…$salt$tag`, base64 without padding. */
export function formatPhc(hash: Argon2Hash): string {
  const cost = `m=${hash.memory},t=${hash.passes},p=${hash.parallelism}`;
  return `$argon2id$v=19$${cost}$${base64(hash.salt)}$${base64(hash.tag)}`;
}

/**
 * Undefined for anything that is not such a string, and for one whose cost is out of bounds: hashes may be imported, and a
 * crafted one must not make a sign-in eat the machine's memory or time, nor be so weak that it protects nobody.
 */
export function parsePhc(text: string): Argon2Hash | undefined {
  if (text.length > LONGEST) return undefined;
  const parts = PHC.exec(text);
  if (parts === null) return undefined;
  const [, memory = '', passes = '', parallelism = '', salt = '', tag = ''] = parts;
  const hash: Argon2Hash = {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
  return isBounded(hash) ? hash : undefined;
}

const LONGEST = 256;
const PHC =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d{0,2}),p=([1-9]\d{0,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** 64 MiB, and as much work in all as four passes over it. */
const MOST_MEMORY = 65_536;
const MOST_WORK = MOST_MEMORY * 4;
const LEAST_MEMORY = 7_168;

function isBounded(hash: Argon2Hash): boolean {
  return (
    hash.memory >= LEAST_MEMORY &&
    hash.memory <= MOST_MEMORY &&
    hash.memory * hash.passes <= MOST_WORK &&
    hash.parallelism <= 4 &&
    hash.salt.length >= 8 &&
    hash.salt.length <= 64 &&
    hash.tag.length >= 16 &&
    hash.tag.length <= 64
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
