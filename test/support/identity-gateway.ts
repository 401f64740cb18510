import { request } from 'node:http';
import { join } from 'node:path';
import { createSessionCookies, deriveCookieKey, newSessionId } from '../../src/identity/session-cookie.ts';
import { openRecords, type RecordsSettings } from '../../src/stores/open-records.ts';
import { createSealer } from '../../src/stores/sealer.ts';
import { sessionNamed } from '../../src/stores/test-records.ts';

/** What differs between the gateways of one test. */
export interface IdentityGatewayPlan {
  readonly port: number;
  readonly internalPort: number;
  /** The public port of the gateway that the issuer is named after; gateways that share their stores share it. */
  readonly issuerPort: number;
  /** Absolute, so that a gateway started again finds what the one before left. */
  readonly dataDir: string;
  readonly upstream: string;
  /** The `stores` of the configuration; SQLite and shared memory where it is left out. */
  readonly stores?: object;
  readonly workers?: number;
}

export const AUDIENCE = 'https://api.example.com/v1';
export const CALLBACK = 'https://app.example.com/callback';

/**
 * A configuration (sallyport.config.ts) with every way of letting a caller in on one API, whose replies name in `X-Worker` the
 * thread that served them.
 */
export function identityConfig(plan: IdentityGatewayPlan): string {
  const config = {
    listeners: [
      { name: 'public', address: `127.0.0.1:${plan.port}`, tls: 'none' },
      { name: 'internal', exposure: 'internal', address: `127.0.0.1:${plan.internalPort}`, tls: 'none' },
    ],
    workers: plan.workers ?? 2,
    dataDir: plan.dataDir,
    ...(plan.stores === undefined ? {} : { stores: plan.stores }),
    authorizationServer: {
      issuer: issuerOf(plan),
      scopes: { 'widgets:read': 'See your widgets' },
      clients: [{ id: LOGIN_CLIENT, secret: LOGIN_SECRET, redirectUris: [`${issuerOf(plan)}/unused`] }],
    },
    logins: { app: { clientId: LOGIN_CLIENT, clientSecret: LOGIN_SECRET } },
    apis: [
      {
        name: 'widgets',
        path: '/v1',
        upstream: plan.upstream,
        authenticate: [{ oauth: { audience: AUDIENCE } }, { apiKey: {} }, { login: { use: 'app' } }],
        policies: { nameWorker: {} },
      },
    ],
  };
  return `
import { threadId } from 'node:worker_threads';
import { z } from '${import.meta.resolve('zod')}';
import { defineConfig, definePolicy } from '${new URL('../../src/index.ts', import.meta.url)}';

const nameWorker = definePolicy({
  name: 'nameWorker',
  phase: 'admit',
  config: z.strictObject({}),
  compile: () => ({
    reply: function nameWorker(_exchange, reply) {
      reply.headers.set('X-Worker', String(threadId));
    },
  }),
});

export default defineConfig({ ...${JSON.stringify(config)}, policies: [nameWorker] });
`;
}

const LOGIN_CLIENT = 'browser-login';
const LOGIN_SECRET = 'the-gateway-is-a-client-of-itself-too';

export function issuerOf({ issuerPort }: Pick<IdentityGatewayPlan, 'issuerPort'>): string {
  return `http://127.0.0.1:${issuerPort}/oauth`;
}

export interface AdminAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by asserting on it
  readonly body: any;
}

/** Asks the admin API on the control socket of a gateway on this machine. Rejects where the gateway ends meanwhile. */
export function askAdmin(dataDir: string, method: string, path: string, body?: object): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const call = request(
      {
        socketPath: join(dataDir, 'control.sock'),
        method,
        path: `/admin/v1${path}`,
        agent: false,
        headers:
          text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) },
      },
      (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          answer += part;
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: answer === '' ? undefined : JSON.parse(answer) }),
        );
      },
    );
    call.on('error', reject);
    call.end(text);
  });
}

/** The same for what must be made before a test can begin. */
export async function makeThrough(dataDir: string, path: string, body: object): Promise<AdminAnswer['body']> {
  const answer = await askAdmin(dataDir, 'POST', path, body);
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** The cookie of a session as a sign-in at the gateway's login leaves it, put into the records that the gateways share. */
export async function makeSession(
  settings: RecordsSettings,
  facts: { readonly sealingKey: Uint8Array; readonly issuer: string; readonly subject: string },
): Promise<string> {
  const records = await openRecords(settings, { sealer: createSealer([facts.sealingKey]), readOnly: false });
  try {
    const id = newSessionId();
    const later = Date.now() + 900_000;
    const ends = { tokenExpiresAt: later, expiresAt: later, idleUntil: later };
    const { issuer, subject } = facts;
    await records.sessions.create(sessionNamed(id, { issuer, subject, clientId: LOGIN_CLIENT, ...ends }), []);
    const value = createSessionCookies(deriveCookieKey(facts.sealingKey)).sealSession({ login: 'app', id });
    return `__Host-sallyport-app=${value}`;
  } finally {
    await records.close();
  }
}
