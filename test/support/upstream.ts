import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createRawServer, type Socket } from 'node:net';

/** What an upstream saw of one request. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  /** Flat name-value list, as sent. */
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** As `rawHeaders`; empty where none came. */
  readonly rawTrailers: readonly string[];
}

export interface TestUpstream {
  readonly url: string;
  readonly port: number;
  /** Every request that arrived, oldest first. */
  readonly seen: Seen[];
  readonly server: Server;
  close(): Promise<void>;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, seen: Seen) => void;

/** A real HTTP server that records what reaches it and answers with it, unless told how to answer. */
export async function startUpstream(answer: Answer = echo): Promise<TestUpstream> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1').on('data', (part: string) => {
      body += part;
    });
    request.on('end', () => {
      const record: Seen = {
        method: request.method ?? '',
        target: request.url ?? '',
        rawHeaders: request.rawHeaders,
        headers: request.headers,
        body,
        rawTrailers: request.rawTrailers,
      };
      seen.push(record);
      answer(request, response, record);
    });
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    server,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An upstream that writes its own bytes: `respond` gets each connection and the text of each request head on it. */
export async function startRawUpstream(respond: (socket: Socket, head: string, connection: number) => void) {
  let connections = 0;
  const open = new Set<Socket>();
  const server = createRawServer((socket) => {
    connections += 1;
    const number = connections;
    open.add(socket);
    let text = '';
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        respond(socket, head, number);
      }
    });
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function listen(
  server: { listen(port: number, host: string): unknown; address(): unknown } & NodeJS.EventEmitter,
): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null || !('port' in address)) throw new Error('no port');
  return Number(address.port);
}

function echo(_request: IncomingMessage, response: ServerResponse, seen: Seen): void {
  const body = JSON.stringify({ method: seen.method, target: seen.target, headers: seen.headers, body: seen.body });
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
