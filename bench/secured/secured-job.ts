import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { makeApiKey } from '../../src/lib/api-key.ts';

/** What every peer of the secured job checks, and what clients show. */
export interface SecuredJob {
  readonly issuer: string;
  readonly audience: string;
  /** PEM file of the issuer's RSA key. */
  readonly publicKeyFile: string;
  /** The issuer's keys as a JWK Set, for peers that read them from a file. */
  readonly jwksFile: string;
  readonly apiKey: string;
}

export interface SecuredGround extends SecuredJob {
  /** Valid tokens of as many subjects. */
  readonly tokens: readonly string[];
  /** Tokens every peer must refuse with 401, by what is wrong with them. */
  readonly badTokens: Readonly<Record<string, string>>;
  /** Keys that must be refused with 401, by what is wrong with them. */
  readonly badKeys: Readonly<Record<string, string>>;
  /** As many more valid tokens, none of which was made before. */
  freshTokens(count: number): Promise<readonly string[]>;
  close(): Promise<void>;
}

const AUDIENCE = 'https://api.example.com/bench';
const SUBJECTS = 100;
/** Tokens signed at a time: enough for every thread that signs. */
const SIGNED_AT_A_TIME = 256;

/** Makes an issuer with an RSA key, its tokens, and a small server with its metadata and keys on loopback. */
export async function setGround(directory: string): Promise<SecuredGround> {
  await mkdir(directory, { recursive: true });
  const { privateKey, publicKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'RS256', use: 'sig' }] };
  const server = await serveIssuer(jwks);
  const { issuer } = server;
  const publicPem = await exportSPKI(publicKey);
  const publicKeyFile = join(directory, 'issuer.pem');
  const jwksFile = join(directory, 'jwks.json');
  await writeFile(publicKeyFile, publicPem);
  await writeFile(jwksFile, JSON.stringify(jwks));

  let made = 0;
  async function freshTokens(count: number): Promise<readonly string[]> {
    const tokens: string[] = [];
    while (tokens.length < count) {
      const size = Math.min(SIGNED_AT_A_TIME, count - tokens.length);
      const next = Array.from({ length: size }, () => token(issuer, privateKey, { subject: made++ % SUBJECTS }));
      tokens.push(...(await Promise.all(next)));
    }
    return tokens;
  }

  const apiKey = makeApiKey('live').key;
  return {
    issuer,
    audience: AUDIENCE,
    publicKeyFile,
    jwksFile,
    apiKey,
    tokens: await freshTokens(SUBJECTS),
    badTokens: await badTokens(issuer, { privateKey, publicPem }),
    badKeys: {
      'with a typo': apiKey.slice(0, -1) + (apiKey.endsWith('0') ? '1' : '0'),
      'nobody was given': makeApiKey('live').key,
    },
    freshTokens,
    close: server.close,
  };
}

/** Metadata (RFC 8414) and keys of an issuer, on a port of its own. */
async function serveIssuer(jwks: object): Promise<{ readonly issuer: string; close(): Promise<void> }> {
  let issuer = '';
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(request.url === '/jwks' ? jwks : { issuer, jwks_uri: `${issuer}/jwks` }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the issuer has no port');
  issuer = `http://127.0.0.1:${address.port}`;
  return {
    issuer,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface TokenFacts {
  readonly subject?: number;
  readonly audience?: string;
  readonly expires?: string;
}

/** The claims of an access token of RFC 9068. */
function token(issuer: string, key: CryptoKey | Uint8Array, facts: TokenFacts = {}, alg = 'RS256'): Promise<string> {
  return new SignJWT({ scope: 'bench:read', client_id: 'bench' })
    .setProtectedHeader({ alg, kid: 'bench', typ: 'at+jwt' })
    .setIssuer(issuer)
    .setAudience(facts.audience ?? AUDIENCE)
    .setSubject(`user-${facts.subject ?? 0}`)
    .setIssuedAt()
    .setExpirationTime(facts.expires ?? '2h')
    .setJti(randomUUID())
    .sign(key);
}

async function badTokens(
  issuer: string,
  { privateKey, publicPem }: { readonly privateKey: CryptoKey; readonly publicPem: string },
): Promise<SecuredGround['badTokens']> {
  const other = await generateKeyPair('RS256', { modulusLength: 2048 });
  const unsigned = new UnsecuredJWT({ scope: 'bench:read' })
    .setIssuer(issuer)
    .setAudience(AUDIENCE)
    .setSubject('user-0')
    .setExpirationTime('2h')
    .encode();
  return {
    'of another issuer': await token('http://127.0.0.1:1', privateKey),
    'of another audience': await token(issuer, privateKey, { audience: 'https://api.example.com/other' }),
    'that has expired': await token(issuer, privateKey, { expires: '-1m' }),
    'signed with another key': await token(issuer, other.privateKey),
    'that is not signed': unsigned,
    'signed with the public key as a shared secret': await token(
      issuer,
      new TextEncoder().encode(publicPem),
      {},
      'HS256',
    ),
  };
}
