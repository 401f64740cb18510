import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { Instance } from './instance.ts';
import { type SecuredPeer, securedPeers } from './peers/secured.ts';
import { findProgram } from './programs.ts';
import { SPARE_CREDENTIALS, writeLoadScript } from './secured/load-script.ts';
import { type SecuredGround, setGround } from './secured/secured-job.ts';
import { verifySecured } from './secured/verify-secured.ts';
import { parseWrkReport } from './wrk-report.ts';

const directory = mkdtempSync(join(tmpdir(), 'bench-secured-'));
let ground: SecuredGround;

before(async () => {
  ground = await setGround(directory);
});

after(async () => {
  await ground.close();
  rmSync(directory, { recursive: true });
});

describe('the ground of the secured job', () => {
  it('makes tokens that the keys its metadata names prove, each of them once', async () => {
    const metadata = (await (await fetch(`${ground.issuer}/.well-known/oauth-authorization-server`)).json()) as {
      issuer: string;
      jwks_uri: string;
    };
    const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
    const tokens = [...ground.tokens, ...(await ground.freshTokens(300))];
    assert.equal(new Set(tokens).size, 400);
    const subjects = new Set<string>();
    for (const token of tokens) {
      const rules = { issuer: metadata.issuer, audience: ground.audience, algorithms: ['RS256'], typ: 'at+jwt' };
      subjects.add((await jwtVerify(token, keys, rules)).payload.sub ?? '');
    }
    assert.equal(subjects.size, 100);
  });

  it('makes bad tokens that are bad for the reason they are named for', async () => {
    const keys = createRemoteJWKSet(new URL(`${ground.issuer}/jwks`));
    const codes: Record<string, unknown> = {};
    for (const [what, token] of Object.entries(ground.badTokens)) {
      const rules = { issuer: ground.issuer, audience: ground.audience, algorithms: ['RS256'] };
      codes[what] = await jwtVerify(token, keys, rules).then(
        () => 'none',
        (error: { code?: unknown; claim?: unknown }) => error.claim ?? error.code,
      );
    }
    assert.deepEqual(codes, {
      'of another issuer': 'iss',
      'of another audience': 'aud',
      'that has expired': 'exp',
      'signed with another key': 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      'that is not signed': 'ERR_JOSE_ALG_NOT_ALLOWED',
      'signed with the public key as a shared secret': 'ERR_JOSE_ALG_NOT_ALLOWED',
    });
  });
});

describe('writeLoadScript', { skip: findProgram('wrk') === undefined && 'wrk is not installed' }, () => {
  async function load(script: string): Promise<{ readonly shown: readonly string[]; readonly report: string }> {
    const shown: string[] = [];
    const server = await listen((fields, response) => {
      shown.push(fields['x-api-key'] ?? 'nothing');
      response.end();
    });
    const url = `http://127.0.0.1:${portOf(server)}/`;
    const { stdout } = await promisify(execFile)('wrk', ['-t1', '-c8', '-d1s', '--latency', '-s', script, url]);
    await close(server);
    return { shown, report: stdout };
  }

  it('shows credentials in turn', async () => {
    const script = await writeLoadScript({ directory, field: 'X-API-Key', credentials: ['a', 'b', 'c'], once: false });
    const { shown } = await load(script);
    assert.deepEqual(new Set(shown), new Set(['a', 'b', 'c']));
  });

  it('shows no credential twice where each counts once, and ends with them', async () => {
    const credentials = Array.from({ length: SPARE_CREDENTIALS + 200 }, (_, index) => `key-${index}`);
    const script = await writeLoadScript({ directory, field: 'X-API-Key', credentials, once: true });
    const { shown, report } = await load(script);
    assert.equal(new Set(shown).size, shown.length);
    assert.ok(!shown.includes('nothing'));
    // A request of each of the eight connections may have been on its way when it ended.
    assert.ok(shown.length >= 192 && shown.length < credentials.length, `${shown.length} were shown`);
    assert.equal(parseWrkReport(report).errors, 0);
  });

  it('refuses to make a load of spare credentials only', async () => {
    const credentials = Array.from({ length: SPARE_CREDENTIALS }, String);
    await assert.rejects(writeLoadScript({ directory, field: 'X-API-Key', credentials, once: true }), /more than 512/);
  });
});

describe('verifySecured', () => {
  const right = {
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Content-Security-Policy': "frame-ancestors 'none'",
    'Access-Control-Allow-Origin': 'https://app.example.com',
  };

  /** A peer that logs what it is asked, if anything, and answers by what it is shown. */
  async function verify(
    logs: boolean,
    answer: (token: string | undefined, response: ServerResponse) => void,
  ): Promise<void> {
    const own = mkdtempSync(join(directory, 'peer-'));
    const log = join(own, 'stdout.log');
    writeFileSync(log, '');
    const server = await listen((fields, response, path) => {
      if (logs) writeFileSync(log, `${path}\n`, { flag: 'a' });
      answer(fields['authorization']?.slice('Bearer '.length), response);
    });
    const peer = securedPeers(ground)[0] ?? assert.fail('there are no peers');
    // All that is looked at of a running peer is its directory.
    const running = { directory: own } as Instance['running'];
    const instance: Instance & { readonly peer: SecuredPeer } = { port: portOf(server), peer, running, startMs: 0 };
    try {
      await verifySecured(instance, ground);
    } finally {
      await close(server);
    }
  }
  const isGood = (token: string | undefined): boolean => token !== undefined && ground.tokens.includes(token);

  it('takes a peer that does the whole job', async () => {
    await verify(true, (token, response) => response.writeHead(isGood(token) ? 200 : 401, right).end());
  });

  it('tells of a peer that lets in who shows nothing', async () => {
    const lax = verify(true, (_token, response) => response.writeHead(200, right).end());
    await assert.rejects(lax, /answers 200 to no credential, and not 401/);
  });

  it('tells of a peer that does not look at the expiry', async () => {
    const lax = verify(true, (token, response) => {
      const passes = isGood(token) || token === ground.badTokens['that has expired'];
      response.writeHead(passes ? 200 : 401, right).end();
    });
    await assert.rejects(lax, /answers 200 to a token that has expired, and not 401/);
  });

  it('tells of a header field that is not set', async () => {
    const { 'Referrer-Policy': _left, ...fewer } = right;
    const lax = verify(true, (token, response) => response.writeHead(isGood(token) ? 200 : 401, fewer).end());
    await assert.rejects(lax, /answers with "" as referrer-policy/);
  });

  it('tells of a peer without an access log', async () => {
    const lax = verify(false, (token, response) => response.writeHead(isGood(token) ? 200 : 401, right).end());
    await assert.rejects(lax, /writes no line of an access log/);
  });
});

async function listen(
  answer: (fields: NodeJS.Dict<string>, response: ServerResponse, path: string) => void,
): Promise<Server> {
  const server = createServer(({ headers, url }, response) => {
    const fields = { authorization: headers.authorization, 'x-api-key': headers['x-api-key']?.toString() };
    answer(fields, response, url ?? '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') assert.fail('a TCP server has no port');
  return address.port;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
