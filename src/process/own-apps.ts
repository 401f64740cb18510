import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OWN_APPS, type OwnApp } from '../config/own-routes.ts';

export interface OwnAppServer {
  /** The path of each app's Unix socket. */
  readonly sockets: Readonly<Record<OwnApp, string>>;
  close(): Promise<void>;
}

/**
 * Serves the control plane's own apps, each on a Unix socket that only this user can open. The data plane reaches them as
 * upstreams, through the same road as any API, so the same policies guard them; and what arrives here has passed them.
 */
export async function serveOwnApps(apps: Readonly<Record<OwnApp, RequestListener>>): Promise<OwnAppServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-'));
  const socketOf = (app: OwnApp): string => join(directory, `${app}.sock`);
  const servers = await Promise.all(
    OWN_APPS.map(async (app) => {
      // The road has its own, shorter, limits; an idle connection is the upstream pool's to close.
      const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) =>
        apps[app](request, response),
      );
      await listenOn(server, socketOf(app));
      return server;
    }),
  );
  return {
    sockets: Object.fromEntries(OWN_APPS.map((app) => [app, socketOf(app)])) as Record<OwnApp, string>, // one for each
    async close() {
      await Promise.all(
        servers.map((server) => {
          server.closeAllConnections();
          return new Promise((resolve) => server.close(resolve));
        }),
      );
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

/** A page of the gateway's own; the road adds everything else. */
export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

type Pages = Readonly<Record<string, () => Promise<Page> | Page>>;

/** Answers requests by their path; `failed` hears why a page could not be made, which its reader does not. */
export function pagesApp(pages: Pages, failed: (path: string, error: unknown) => void): RequestListener {
  return (request, response) => void answer(pages, failed, request, response);
}

async function answer(
  pages: Pages,
  failed: (path: string, error: unknown) => void,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
  let reply: Page = { status: 404, contentType: 'text/plain', body: 'not found\n' };
  if (page !== undefined) {
    try {
      reply = await page();
    } catch (error) {
      failed(path, error);
      reply = { status: 500, contentType: 'text/plain', body: 'this page could not be made; the log says why\n' };
    }
  }
  response.writeHead(reply.status, {
    'Content-Type': reply.contentType,
    'Content-Length': Buffer.byteLength(reply.body),
  });
  response.end(reply.body);
}
