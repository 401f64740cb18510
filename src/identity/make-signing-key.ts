import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { JsonObject } from '../lib/json.ts';
import type { SigningKey } from '../stores/stores.ts';

/** The algorithms the gateway signs with; `none` and the symmetric ones are not among them. */
export const signingAlgorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const;

export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export interface NewSigningKey {
  readonly use: SigningKey['use'];
  readonly algorithm: SigningAlgorithm;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly activeAt: number;
}

/** Makes a key pair. Its `kid` is the thumbprint of RFC 7638, so that it cannot be mistaken for another. */
export async function makeSigningKey({ use, algorithm, createdAt, activeAt }: NewSigningKey): Promise<SigningKey> {
  const { publicKey, privateKey } = await makers[algorithm]();
  // Node exports an asymmetric key as a plain object of strings.
  const publicJwk = publicKey.export({ format: 'jwk' }) as JWK & JsonObject;
  const privateJwk = privateKey.export({ format: 'jwk' }) as JsonObject;
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    kid,
    use,
    alg: algorithm,
    publicJwk,
    privateJwk,
    createdAt,
    activeAt,
    retiredAt: undefined,
    removeAt: undefined,
  };
}

const makePair = promisify(generateKeyPair);

const makeRsa = () => makePair('rsa', { modulusLength: 2048 });

const makers = {
  ES256: () => makePair('ec', { namedCurve: 'P-256' }),
  RS256: makeRsa,
  PS256: makeRsa,
  EdDSA: () => makePair('ed25519'),
} as const;
