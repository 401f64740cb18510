import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { readCaller, shownHeaders } from './caller.ts';
import { NoteStore } from './note-store.ts';

export interface LoginExample {
  /** Such as `http://127.0.0.1:4100`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * A single-page app and its API: notes, each person's own. It knows nothing of sign-in, cookies or OAuth. It listens on 127.0.0.1
 * only, where the gateway alone can reach it, and takes who is calling from the access token that the gateway attaches.
 * Port 0 takes a free one.
 */
export async function startLoginExample(options: { readonly port: number }): Promise<LoginExample> {
  const pages = await readPages();
  const notes = new NoteStore();
  const server = createServer((request, response) => {
    handle({ request, response, pages, notes }).catch((error: unknown) => {
      console.error(error);
      response.destroy();
    });
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

interface Page {
  readonly type: string;
  readonly body: Buffer;
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly pages: ReadonlyMap<string, Page>;
  readonly notes: NoteStore;
}

async function readPages(): Promise<ReadonlyMap<string, Page>> {
  const files = [
    { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
    { path: '/app.js', file: 'app.js', type: 'text/javascript; charset=utf-8' },
    { path: '/style.css', file: 'style.css', type: 'text/css; charset=utf-8' },
    { path: '/icon.svg', file: 'icon.svg', type: 'image/svg+xml' },
  ];
  const read = files.map(async ({ path, file, type }): Promise<readonly [string, Page]> => {
    const body = await readFile(join(import.meta.dirname, 'page', file));
    return [path, { type, body }];
  });
  return new Map(await Promise.all(read));
}

async function handle(call: Call): Promise<void> {
  const { request, response, pages } = call;
  const { pathname } = new URL(request.url ?? '/', 'http://notes');
  if (pathname.startsWith('/api/')) return await handleApi(call, pathname.slice('/api'.length));
  const page = pages.get(pathname);
  if (page === undefined || (request.method !== 'GET' && request.method !== 'HEAD'))
    return answer(response, page === undefined ? 404 : 405, { error: 'nothing here' });
  response.writeHead(200, {
    'Content-Type': page.type,
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': POLICY,
  });
  response.end(request.method === 'HEAD' ? undefined : page.body);
}

async function handleApi({ request, response, notes }: Call, path: string): Promise<void> {
  const caller = readCaller(request);
  // The gateway lets nobody through without one; who reaches this port by another way has none.
  if (caller === undefined) return answer(response, 401, { error: 'no access token came with the request' });
  const id = /^\/notes\/(\d{1,15})$/.exec(path)?.[1];
  switch (id === undefined ? `${request.method} ${path}` : `${request.method} /notes/{id}`) {
    case 'GET /me':
      return answer(response, 200, { caller, headers: shownHeaders(request) });
    case 'GET /notes':
      return answer(response, 200, { items: notes.of(caller.subject) });
    case 'POST /notes': {
      const text = await readText(request);
      if (text === undefined)
        return answer(response, 422, { error: 'expected JSON such as {"text":"Buy milk"}, up to 500 characters' });
      const note = notes.add(caller.subject, text);
      return note === undefined ? answer(response, 507, { error: 'delete a note first' }) : answer(response, 201, note);
    }
    case 'DELETE /notes/{id}':
      if (notes.remove(caller.subject, Number(id))) return void response.writeHead(204).end();
  }
  return answer(response, 404, { error: 'nothing here' });
}

async function readText(request: IncomingMessage): Promise<string | undefined> {
  if (request.headers['content-type']?.split(';')[0] !== 'application/json') return undefined;
  let body = '';
  request.setEncoding('utf8');
  for await (const part of request) {
    body += part;
    if (body.length > 4_096) return undefined;
  }
  try {
    const { text }: { readonly text?: unknown } = Object(JSON.parse(body));
    return typeof text === 'string' && text.trim() !== '' && text.length <= 500 ? text.trim() : undefined;
  } catch {
    return undefined;
  }
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify(value));
}

/** Nothing inline, nothing from elsewhere. The form of the sign-out button is redirected to the sign-in page, which is on this host. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

if (import.meta.main) {
  const app = await startLoginExample({ port: Number(process.env['APP_PORT'] ?? 4100) });
  console.log(`The app and its API are at ${app.url}, for the gateway alone.`);
}
