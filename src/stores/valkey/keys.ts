import { hash } from 'node:crypto';

/** The names under which a key is kept. They share a hash tag, and so a slot of the cluster. */
export interface ServerKeys {
  readonly once: string;
  readonly count: string;
}

/** A digest in the place of the key: of one length, and without the addresses and names that keys are made of. */
export function serverKeys(key: string): ServerKeys {
  const digest = hash('sha256', key, 'base64url').slice(0, DIGEST_CHARACTERS);
  return { once: `${PREFIX}once:{${digest}}`, count: `${PREFIX}count:{${digest}}` };
}

const PREFIX = 'sallyport:';
/** 132 bits. */
const DIGEST_CHARACTERS = 22;
