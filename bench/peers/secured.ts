import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPackages } from '../node-package.ts';
import type { CredentialKind } from '../secured/credential-fields.ts';
import type { SecuredJob } from '../secured/secured-job.ts';
import { haproxy } from './haproxy.ts';
import type { Job, Launch, Peer } from './peer.ts';
import { prepareSallyport, sallyport } from './sallyport.ts';

/** A peer set up for the secured job, and the field its clients put their credential into. */
export interface SecuredPeer extends Peer {
  readonly credential: CredentialKind;
}

/** Whose scripts may read replies, by the CORS rule of every peer. */
export const ALLOWED_ORIGIN = 'https://app.example.com';

/**
 * The same job for everyone: an RS256 token is checked (signature, alg, iss, aud, exp), security headers and those of CORS are
 * added, a line of an access log is written to a file, and the request is passed on. Sallyport's second row takes an API key
 * in the token's place.
 */
export function securedPeers(job: SecuredJob): readonly SecuredPeer[] {
  return [
    {
      name: haproxy.name,
      title: 'HAProxy, jwt_verify',
      tls: false,
      credential: 'token',
      find: haproxy.find,
      prepare: (where) => prepareHaproxy(where, job),
    },
    {
      name: sallyport.name,
      title: 'Sallyport, one worker',
      tls: false,
      credential: 'token',
      find: sallyport.find,
      prepare: (where) => prepareSallyport(where, sallyportOptions(job, 'token')),
    },
    {
      name: sallyport.name,
      title: 'Sallyport, one worker, API key instead of the token',
      tls: false,
      credential: 'api key',
      find: sallyport.find,
      prepare: (where) => prepareSallyport(where, sallyportOptions(job, 'api key')),
    },
    {
      name: 'express',
      title: 'Express + http-proxy-middleware + jose + helmet + cors + morgan',
      tls: false,
      credential: 'token',
      find: () => findPackages(['express', 'http-proxy-middleware', 'jose', 'helmet', 'cors', 'morgan']),
      prepare: (where) => prepareApp(where, './secured-express-app.js', [rules(job)]),
    },
    ...(['on', 'off'] as const).map(
      (cache): SecuredPeer => ({
        name: 'fastify',
        title: `Fastify + @fastify/http-proxy + @fastify/jwt + helmet + cors, ${cache === 'on' ? 'with' : 'without'} its cache`,
        tls: false,
        credential: 'token',
        find: () =>
          findPackages(['fastify', '@fastify/http-proxy', '@fastify/jwt', '@fastify/helmet', '@fastify/cors']),
        prepare: (where) => prepareApp(where, './secured-fastify-app.js', [rules(job), cache]),
      }),
    ),
  ];
}

/** What a Node peer is told to check; the credentials of the clients are none of its business. */
function rules({ issuer, audience, publicKeyFile, jwksFile }: SecuredJob): string {
  return JSON.stringify({ issuer, audience, publicKeyFile, jwksFile });
}

async function prepareApp(where: Job, app: string, args: readonly string[]): Promise<Launch> {
  const file = fileURLToPath(new URL(app, import.meta.url));
  return {
    command: process.execPath,
    args: [file, String(where.port), `http://127.0.0.1:${where.upstreamPort}`, ...args],
    env: { NODE_ENV: 'production' },
  };
}

function sallyportOptions(job: SecuredJob, credential: CredentialKind) {
  const authenticate =
    credential === 'token'
      ? `[{ oauth: { issuer: ${JSON.stringify(job.issuer)}, audience: ${JSON.stringify(job.audience)} } }]`
      : '[{ apiKey: {} }]';
  return {
    top: [
      'workers: 1',
      ...(credential === 'token'
        ? []
        : [`consumers: [{ name: bench, keys: [{ name: main, key: ${JSON.stringify(job.apiKey)} }] }]`]),
    ],
    authenticate,
    cors: `{ origins: [${JSON.stringify(ALLOWED_ORIGIN)}] }`,
  };
}

/** The recipe of HAProxy's own documentation for bearer tokens, with its log on standard output like everyone else's. */
async function prepareHaproxy(where: Job, job: SecuredJob): Promise<Launch> {
  const plain = await haproxy.prepare(where);
  const file = join(where.directory, 'secured.cfg');
  await writeFile(file, haproxyConfiguration(where, job));
  return { ...plain, args: ['-db', '-f', file] };
}

function haproxyConfiguration(where: Job, { issuer, audience, publicKeyFile }: SecuredJob): string {
  return `global
  nbthread 1
  no strict-limits
  maxconn ${where.connections + 512}
  log stdout format raw local0

defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 600s
  timeout server 60s
  timeout http-keep-alive 600s
  option forwardfor

frontend public
  bind 127.0.0.1:${where.port}
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request deny deny_status 401 unless { var(txn.iss) -m str ${issuer} }
  http-request deny deny_status 401 unless { var(txn.aud) -m str ${audience} }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 1 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${publicKeyFile}") 1 }
  http-request set-var(txn.origin) req.hdr(origin)
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-response set-header X-Content-Type-Options nosniff
  http-response set-header Cross-Origin-Resource-Policy same-origin
  http-response set-header X-Frame-Options DENY
  http-response set-header Referrer-Policy no-referrer
  http-response set-header Content-Security-Policy "frame-ancestors 'none'"
  http-response add-header Vary Origin
  http-response set-header Access-Control-Allow-Origin ${ALLOWED_ORIGIN} if { var(txn.origin) -m str ${ALLOWED_ORIGIN} }
  default_backend app

backend app
  http-reuse always
  server app 127.0.0.1:${where.upstreamPort}
`;
}
