import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An answer of an internal app; the road adds everything else. */
export interface AppReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Path → app. The paths are published on internal listeners only. */
export type InternalApps = Readonly<Record<string, () => Promise<AppReply> | AppReply>>;

export interface InternalAppServer {
  readonly socketPath: string;
  close(): Promise<void>;
}

/**
 * Serves the control plane's own pages on a Unix socket that only this user can open. The data plane reaches them as an
 * upstream, through the same road as any API, so the same policies guard them.
 */
export async function serveInternalApps(apps: InternalApps): Promise<InternalAppServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-'));
  const socketPath = join(directory, 'internal.sock');
  const server = createServer((request, response) => void answer(apps, request, response));
  await listenOn(server, socketPath);
  return {
    socketPath,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Listens on a Unix socket with access for the owner alone. */
export async function listenOn(server: Server, socketPath: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, () => {
      server.off('error', reject);
      resolve();
    });
  });
  await chmod(socketPath, 0o600);
}

async function answer(apps: InternalApps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const app = Object.hasOwn(apps, path) ? apps[path] : undefined;
  let reply: AppReply = { status: 404, contentType: 'text/plain', body: 'not found\n' };
  if (app !== undefined) {
    try {
      reply = await app();
    } catch (error) {
      reply = {
        status: 500,
        contentType: 'text/plain',
        body: `${error instanceof Error ? error.message : String(error)}\n`,
      };
    }
  }
  response.writeHead(reply.status, {
    'Content-Type': reply.contentType,
    'Content-Length': Buffer.byteLength(reply.body),
  });
  response.end(reply.body);
}
