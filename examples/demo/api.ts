import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import { EventFeed } from './event-feed.ts';
import { readWidget } from './read-widget.ts';
import { WidgetStore } from './widget-store.ts';

export interface DemoApi {
  /** Such as `http://127.0.0.1:4000`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * The API behind the demo: widgets, a feed of events, an echo over WebSocket, and the bad habits a gateway is there for.
 * It knows nothing of TLS, CORS or the internet, and listens on 127.0.0.1 only; port 0 takes a free one.
 * `widgets.openapi.yaml` describes it.
 */
export async function startDemoApi(options: { readonly port: number; readonly tickMs?: number }): Promise<DemoApi> {
  const feed = new EventFeed(options.tickMs ?? 1_000);
  const store = new WidgetStore((kind, widget) => feed.send(kind, widget));
  const server = createServer((request, response) => {
    handle({ request, response, store, feed }).catch((error: unknown) => tellEverything(response, error));
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/echo') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  });
  server.listen(options.port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    feed.close();
    throw error;
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      feed.close();
      for (const client of sockets.clients) client.terminate();
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly store: WidgetStore;
  readonly feed: EventFeed;
}

async function handle(call: Call): Promise<void> {
  const { request, response, feed } = call;
  const url = new URL(request.url ?? '/', 'http://demo');
  const id = /^\/widgets\/(\d{1,15})$/.exec(url.pathname)?.[1];
  if (id !== undefined) return await handleWidget(call, Number(id));
  if (url.pathname === '/widgets') return await handleWidgets(call, url.searchParams);
  if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 404, { error: 'nothing here' });
  switch (url.pathname) {
    case '/events':
      return request.method === 'GET' ? feed.add(response) : answer(response, 200, {});
    case '/headers':
      return answer(response, 200, { method: request.method, target: request.url, headers: headerList(request) });
    case '/slow':
      return answerLate(response, url.searchParams.get('seconds'));
    case '/error':
      throw new Error('cannot connect to postgres://widgets:hunter2@db.internal:5432/widgets');
    default:
      return answer(response, 404, { error: 'nothing here' });
  }
}

async function handleWidgets({ request, response, store }: Call, query: URLSearchParams): Promise<void> {
  if (request.method === 'GET' || request.method === 'HEAD') {
    const limit = wholeNumber(query.get('limit') ?? '20');
    const after = wholeNumber(query.get('after') ?? '0');
    if (limit === undefined || limit < 1 || limit > 100) return answer(response, 400, { error: 'limit is 1 to 100' });
    if (after === undefined) return answer(response, 400, { error: 'after is the id of a widget' });
    return answer(response, 200, store.list({ limit, after }));
  }
  if (request.method !== 'POST') return refuseMethod(response, 'GET, HEAD, POST');
  const input = await readWidget(request);
  if ('error' in input) return answer(response, input.status, { error: input.error });
  const widget = store.create(input);
  if (widget === undefined) return answer(response, 507, { error: 'no room for another widget' });
  // Relative to the request, so that it holds wherever a gateway publishes this (RFC 9110 §10.2.2).
  response.setHeader('Location', `widgets/${widget.id}`);
  answer(response, 201, widget);
}

async function handleWidget({ request, response, store }: Call, id: number): Promise<void> {
  const missing = { error: `there is no widget ${id}` };
  if (request.method === 'GET' || request.method === 'HEAD') {
    const widget = store.get(id);
    return widget === undefined ? answer(response, 404, missing) : answer(response, 200, widget);
  }
  if (request.method === 'DELETE') {
    if (!store.delete(id)) return answer(response, 404, missing);
    response.writeHead(204).end();
    return;
  }
  if (request.method !== 'PUT') return refuseMethod(response, 'GET, HEAD, PUT, DELETE');
  if (store.get(id) === undefined) return answer(response, 404, missing);
  const input = await readWidget(request);
  if ('error' in input) return answer(response, input.status, { error: input.error });
  const widget = store.update(id, input);
  return widget === undefined ? answer(response, 404, missing) : answer(response, 200, widget);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

function refuseMethod(response: ServerResponse, allowed: string): void {
  response.setHeader('Allow', allowed);
  answer(response, 405, { error: `use ${allowed}` });
}

/** Takes 3 seconds, or as many as asked for, up to 300. */
function answerLate(response: ServerResponse, asked: string | null): void {
  const seconds = wholeNumber(asked ?? '3');
  if (seconds === undefined || seconds > 300) {
    answer(response, 400, { error: 'seconds is 0 to 300' });
    return;
  }
  const timer = setTimeout(() => answer(response, 200, { waited: seconds }), seconds * 1_000);
  response.on('close', () => clearTimeout(timer));
}

/** What no API should do and many do: the whole error goes to the client. The gateway's error masking is there for this. */
function tellEverything(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const text = `${error instanceof Error ? error.stack : String(error)}\n`;
  response.writeHead(500, { 'Content-Type': 'text/plain', 'X-Powered-By': 'Demo 1.0', Server: 'demo/1.0' });
  response.end(text);
}

/** The fields as they came, names that occur twice included. */
function headerList(request: IncomingMessage): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    lines.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
  }
  return lines;
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

if (import.meta.main) {
  const api = await startDemoApi({ port: wholeNumber(process.env['DEMO_API_PORT'] ?? '4000') ?? 4000 });
  console.log(`The demo API listens on ${api.url}; ${api.url}/widgets has widgets.`);
}
