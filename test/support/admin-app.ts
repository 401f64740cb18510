import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type AdminApp, createAdminApp } from '../../src/admin/admin-app.ts';
import type { AdminServices, Caller } from '../../src/admin/admin-services.ts';
import { openRecords } from '../../src/stores/open-records.ts';
import { createSealer } from '../../src/stores/sealer.ts';
import type { Records } from '../../src/stores/stores.ts';

/** The admin app on a real server over real records, on a control socket as the gateway has it and on a loopback port. */
export interface RunningAdminApp {
  readonly records: Records;
  readonly dataDir: string;
  /** Without a path, as `--url` takes it. */
  readonly url: string;
  /** What the app reported of its own faults. */
  readonly faults: readonly unknown[];
  readonly rotations: readonly string[];
  call(method: string, path: string, sent?: Sent): Promise<Answer>;
  stop(): Promise<void>;
}

export interface Sent {
  readonly json?: unknown;
  readonly text?: string | Buffer | Readable;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the caller; everything unless given. */
  readonly scopes?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by asserting on it
  readonly body: any;
}

export async function startAdminApp(changes: Partial<AdminServices> = {}): Promise<RunningAdminApp> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sp-admin-'));
  const sealer = createSealer([Buffer.alloc(32, 7)]);
  const records = await openRecords(
    { driver: 'sqlite', file: join(dataDir, 'records.db') },
    { sealer, readOnly: false },
  );
  const faults: unknown[] = [];
  const rotations: string[] = [];
  const app = createAdminApp({
    records,
    now: Date.now,
    apiNames: () => ['widgets', 'gadgets'],
    issuer: () => 'https://gateway.example/oauth',
    rotateSigningKeys: async (use, { actor }) => {
      rotations.push(`${use} by ${actor}`);
      return records.signingKeys.list(use);
    },
    status: () => ({ version: '0.0.0', generation: 1 }),
    reportFault: (error) => void faults.push(error),
    ...changes,
  });
  const socketPath = join(dataDir, 'control.sock');
  const local = serve(app);
  const remote = serve(app);
  await once(local.listen(socketPath), 'listening');
  await once(remote.listen(0, '127.0.0.1'), 'listening');
  const address = remote.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    records,
    dataDir,
    url: `http://127.0.0.1:${address.port}`,
    faults,
    rotations,
    call: (method, path, sent = {}) => ask(socketPath, method, `/admin/v1${path}`, sent),
    async stop() {
      for (const server of [local, remote]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
      await records.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Stands where the road or the control socket would say who calls. */
function serve(app: AdminApp): Server {
  return createServer((incoming, response) => {
    const scopes = incoming.headers['test-scopes'];
    const caller: Caller = {
      actor: 'local:1000',
      address: '192.0.2.7',
      requestId: 'request-1',
      scopes: typeof scopes === 'string' ? scopes.split(' ') : 'all',
    };
    app.handle(incoming, response, caller);
  });
}

function ask(socketPath: string, method: string, path: string, sent: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const whole = sent.json === undefined ? sent.text : JSON.stringify(sent.json);
    const isStream = typeof whole === 'object' && 'pipe' in whole;
    const headers = {
      // A GET or DELETE would be sent with a body that nothing announces.
      ...(whole === undefined || isStream || sent.headers?.['Transfer-Encoding'] !== undefined
        ? {}
        : { 'Content-Length': String(Buffer.byteLength(whole)) }),
      ...(sent.json === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(sent.scopes === undefined ? {} : { 'Test-Scopes': sent.scopes.join(' ') }),
      ...sent.headers,
    };
    const call = request({ socketPath, method, path, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => {
        text += part;
      });
      answer.on('error', reject);
      answer.on('end', () => {
        const isJson = /json$/.test(answer.headers['content-type'] ?? '') && text !== '';
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text,
          body: isJson ? JSON.parse(text) : undefined,
        });
      });
    });
    call.on('error', reject);
    if (isStream) whole.pipe(call);
    else call.end(whole);
  });
}
