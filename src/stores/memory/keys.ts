import { hash, randomBytes } from 'node:crypto';

/** What a table knows of a key: where it may stand, and 96 bits to tell it from others. */
export interface Fingerprint {
  /** Two numbers of 32 bits that choose its buckets. */
  readonly first: number;
  readonly second: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Makes the seed of a table. */
export function newSeed(): Uint8Array {
  return new Uint8Array(randomBytes(SEED_BYTES));
}

/**
 * SHA-256 over the seed and the key. Who does not know the seed cannot choose keys that crowd one bucket, and that two keys
 * are taken for one is as likely as guessing 96 bits.
 */
export function fingerprinter(seed: Uint8Array): (kind: 'once' | 'count', key: string) => Fingerprint {
  const prefix = Buffer.from(seed).toString('hex');
  return (kind, key) => {
    // As a string of bytes: a Buffer would cost four times as much.
    const bytes = hash('sha256', `${prefix}${kind} ${key}`, 'binary');
    return {
      first: word(bytes, 0) >>> 0,
      second: word(bytes, 4) >>> 0,
      a: word(bytes, 8),
      b: word(bytes, 12),
      c: word(bytes, 16),
    };
  };
}

function word(bytes: string, at: number): number {
  return (
    bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)
  );
}

export const SEED_BYTES = 16;
