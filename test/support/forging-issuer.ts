import { once } from 'node:events';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';

/** An issuer of access tokens that signs whatever a test asks for, with the keys it publishes. */
export interface ForgingIssuer {
  readonly url: string;
  /** Where a token could point for a key of the attacker's: what asks there is in `asked`. */
  readonly lure: string;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  /** The RSA key, published without `alg`. */
  readonly rsa: JWK;
  /** A good access token, with any part of it replaced; undefined takes a claim or parameter out. */
  token(change?: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  close(): Promise<void>;
}

export const FORGED_AUDIENCE = 'https://api.example.com/v1';

export async function startForgingIssuer(): Promise<ForgingIssuer> {
  const rsa = await generateKeyPair('RS256', { extractable: true });
  const ec = await generateKeyPair('ES256', { extractable: true });
  const rsaJwk = { ...(await exportJWK(rsa.publicKey)), kid: 'rsa-1' };
  const jwks = { keys: [rsaJwk, { ...(await exportJWK(ec.publicKey)), kid: 'ec-1', alg: 'ES256' }] };
  // As JWKs, which are not tied to one algorithm of their kind.
  const [rsaPrivate, ecPrivate] = [await exportJWK(rsa.privateKey), await exportJWK(ec.privateKey)];
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const documents: Readonly<Record<string, object>> = {
      '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/jwks` },
      '/jwks': jwks,
    };
    const document = documents[request.url ?? ''];
    response.writeHead(document === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const url = `http://127.0.0.1:${address.port}`;

  return {
    url,
    lure: `${url}/lure`,
    asked,
    rsa: rsaJwk,
    token(change = {}, header = {}) {
      const now = Math.floor(Date.now() / 1_000);
      const claims = {
        iss: url,
        sub: 'alice',
        aud: FORGED_AUDIENCE,
        client_id: 'app',
        iat: now,
        exp: now + 300,
        jti: 'j',
      };
      const parameters = present({ alg: 'ES256', kid: 'ec-1', typ: 'at+jwt', ...header });
      const key = parameters['alg'] === 'ES256' ? ecPrivate : rsaPrivate;
      return new SignJWT(present({ ...claims, ...change }))
        .setProtectedHeader({ alg: 'ES256', ...parameters })
        .sign(key);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A JWS put together by hand, for what no library signs. */
export function looseJws(header: object, claims: object | string, signature: (input: string) => Buffer): string {
  const input = `${encoded(header)}.${typeof claims === 'string' ? claims : encoded(claims)}`;
  return `${input}.${signature(input).toString('base64url')}`;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function present(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
