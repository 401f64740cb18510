import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, request, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { ADMIN_PATH } from '../lib/admin-place.ts';
import { listenOn } from './own-apps.ts';

/** What a command on the same machine may ask of a running gateway. */
export interface ControlActions {
  reload(): Promise<ReloadOutcome>;
  status(): GatewayStatus;
  /** Answers a request to the admin API from this machine's own user. */
  administer: RequestListener;
}

export interface ReloadOutcome {
  readonly ok: boolean;
  readonly generation: number;
  /** Printable lines on what is wrong; empty where `ok`. */
  readonly faults: readonly string[];
}

export interface GatewayStatus {
  readonly pid: number;
  readonly version: string;
  readonly generation: number;
  readonly workers: { readonly configured: number; readonly serving: number };
  readonly startedAt: string;
}

export interface ControlSocket {
  close(): Promise<void>;
}

/** Nobody listens on the data directory's control socket. */
export class NotRunning extends Error {
  override readonly name = 'NotRunning';
}

/** Somebody answers there who cannot say or do what was asked now. */
class NotReady extends Error {
  override readonly name = 'NotReady';
}

/** Another gateway uses the same data directory. */
export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning';
}

/** A Unix socket's path may have this many bytes on Linux (sun_path, less its NUL). */
const MAX_SOCKET_PATH_BYTES = 107;

/** Opens the control socket in the data directory; rejects with AlreadyRunning where a gateway answers there. */
export async function openControlSocket(dataDir: string, actions: ControlActions): Promise<ControlSocket> {
  const path = controlPath(dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const running = await whoRuns(dataDir);
  if (running !== undefined)
    throw new AlreadyRunning(`${running} already uses ${dataDir}; stop it or set another dataDir`);
  await rm(path, { force: true }); // left behind by a gateway that was killed

  const server = createServer({ requestTimeout: 0 }, (incoming, response) => {
    answer(actions, incoming, response).catch((error: unknown) => {
      // The gateway is starting or stopping: a command must not be able to end it by asking at the wrong moment.
      if (response.headersSent) return response.destroy();
      return response.writeHead(503).end(error instanceof Error ? error.message : String(error));
    });
  });
  await listenOn(server, path);
  return {
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(path, { force: true });
    },
  };
}

/** Undefined where nobody answers. */
async function whoRuns(dataDir: string): Promise<string | undefined> {
  try {
    const { pid } = await askGateway<GatewayStatus>(dataDir, 'GET', '/status');
    return `a gateway with process id ${pid}`;
  } catch (error) {
    return error instanceof NotReady ? 'a gateway that is starting or stopping' : undefined;
  }
}

async function answer(actions: ControlActions, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  if (incoming.url?.startsWith(`${ADMIN_PATH}/`) === true) return actions.administer(incoming, response);
  const isReload = incoming.method === 'POST' && incoming.url === '/reload';
  const isStatus = incoming.method === 'GET' && incoming.url === '/status';
  const outcome = isReload ? await actions.reload() : isStatus ? actions.status() : undefined;
  response.writeHead(outcome === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(outcome ?? null));
}

/** Sends one request to the gateway that runs on this data directory. Rejects with NotRunning where there is none. */
export function askGateway<Answer>(
  dataDir: string,
  method: 'GET' | 'POST',
  path: '/status' | '/reload',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socketPath = controlPath(dataDir);
    const call = request({ socketPath, method, path, timeout: 60_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        if (response.statusCode !== 200) return reject(new NotReady(`the gateway did not carry it out: ${text}`));
        try {
          resolve(JSON.parse(text) as Answer); // our own process wrote it
        } catch (error) {
          reject(error);
        }
      });
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error('the gateway did not answer within 60 s')));
    call.on('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      reject(absent ? new NotRunning(`no gateway is running on ${dataDir}`) : error);
    });
    call.end();
  });
}

function controlPath(dataDir: string): string {
  const path = join(dataDir, 'control.sock');
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new Error(
      `dataDir ${dataDir} is too long for a Unix socket in it; a path of at most ${MAX_SOCKET_PATH_BYTES - 13} bytes is right`,
    );
  }
  return path;
}
