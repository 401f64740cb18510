import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
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
  /** As many more valid tokens, none of which was made before. */
  freshTokens(count: number): Promise<readonly string[]>;
  close(): Promise<void>;
}

const AUDIENCE = 'https://api.example.com/bench';
const SUBJECTS = 100;

/** Makes an issuer with an RSA key, its tokens, and a small server with its metadata and keys on loopback. */
export async function setGround(directory: string): Promise<SecuredGround> {
  await mkdir(directory, { recursive: true });
  const { privateKey, publicKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
  const other = await generateKeyPair('RS256', { modulusLength: 2048 });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'RS256', use: 'sig' }] };
  const server = createServer((request, response) => {
    const issuer = `http://127.0.0.1:${port()}`;
    const isKeys = request.url === '/jwks';
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(isKeys ? jwks : { issuer, jwks_uri: `${issuer}/jwks` }));
  });
  const port = (): number => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the issuer has no port');
    return address.port;
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${port()}`;
  let made = 0;

  function token(
    facts: { readonly audience?: string; readonly expires?: string; readonly key?: typeof privateKey } = {},
  ): Promise<string> {
    made += 1;
    return new SignJWT({ scope: 'bench:read', client_id: 'bench' })
      .setProtectedHeader({ alg: 'RS256', kid: 'bench', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(facts.audience ?? AUDIENCE)
      .setSubject(`user-${made % SUBJECTS}`)
      .setIssuedAt()
      .setExpirationTime(facts.expires ?? '2h')
      .setJti(String(made))
      .sign(facts.key ?? privateKey);
  }

  const publicKeyFile = join(directory, 'issuer.pem');
  const jwksFile = join(directory, 'jwks.json');
  await writeFile(publicKeyFile, await exportSPKI(publicKey));
  await writeFile(jwksFile, JSON.stringify(jwks));
  return {
    issuer,
    audience: AUDIENCE,
    publicKeyFile,
    jwksFile,
    apiKey: makeApiKey('live').key,
    tokens: await Promise.all(Array.from({ length: SUBJECTS }, () => token())),
    badTokens: {
      'of another audience': await token({ audience: 'https://api.example.com/other' }),
      'that has expired': await token({ expires: '-1m' }),
      'signed with another key': await token({ key: other.privateKey }),
    },
    async freshTokens(count) {
      const tokens: string[] = [];
      for (let at = 0; at < count; at += 1) tokens.push(await token());
      return tokens;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** A script for wrk that shows the credentials of a file in turn, one a line, without any work but a look into a table. */
export async function writeLoadScript(
  directory: string,
  field: string,
  credentials: readonly string[],
): Promise<string> {
  const list = join(directory, 'credentials.txt');
  const script = join(directory, 'credentials.lua');
  await writeFile(list, `${credentials.join('\n')}\n`);
  await writeFile(
    script,
    `local requests = {}
local at = 0
function init(args)
  for line in io.lines(${JSON.stringify(list)}) do
    requests[#requests + 1] = wrk.format("GET", "/", { [${JSON.stringify(field)}] = line })
  end
end
function request()
  at = at + 1
  if at > #requests then at = 1 end
  return requests[at]
end
`,
  );
  return script;
}
