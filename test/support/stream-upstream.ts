import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { crc32 } from 'node:zlib';
import { WebSocketServer } from 'ws';

/** Something sent or received in parts: how much of it, and what it was. */
export interface Tally {
  bytes: number;
  crc: number;
}

export interface StreamUpstream {
  readonly url: string;
  readonly server: Server;
  /** Uploads under way or over, oldest first; `complete` is what the server could tell. */
  readonly uploads: readonly Upload[];
  /** What the socket has taken of the downloads, in total. */
  readonly offered: Tally;
  /** Requests under way at this moment. */
  readonly active: number;
  /** Connections open at this moment. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export interface Upload extends Tally {
  complete: boolean;
  closed: boolean;
  readonly headers: IncomingMessage['headers'];
}

const BLOCK_BYTES = 256 * 1024;

/** The blocks of a made-up file: each differs from the others, so that a lost, doubled or swapped one shows in the checksum. */
function* fileBlocks(bytes: number): Generator<Buffer> {
  let left = bytes;
  for (let number = 0; left > 0; number += 1) {
    const block = Buffer.alloc(Math.min(BLOCK_BYTES, left), PATTERN);
    block.write(String(number));
    left -= block.length;
    yield block;
  }
}

export function newTally(): Tally {
  return { bytes: 0, crc: 0 };
}

export function count(tally: Tally, part: Uint8Array): void {
  tally.bytes += part.length;
  tally.crc = crc32(part, tally.crc);
}

/** The tally a whole file of that size must have. */
export function tallyOf(bytes: number): Tally {
  const tally = newTally();
  for (const block of fileBlocks(bytes)) count(tally, block);
  return tally;
}

/** Writes the made-up file at the pace of who takes it. */
export async function sendFile(to: NodeJS.WritableStream, bytes: number, sent: Tally = newTally()): Promise<void> {
  for (const block of fileBlocks(bytes)) {
    const more = to.write(block);
    count(sent, block);
    if (!more) await once(to, 'drain');
  }
}

/**
 * An upstream for whatever flows: `/upload` tallies the body, `/download?bytes=` sends a file (`&length` with Content-Length),
 * `/events` sends an event each 50 ms, `/silent` begins a stream of events and sends none, `/slow?ms=` answers after that time, `/duplex` sends back each part as it comes,
 * `/trailers` sends back trailers, and any path speaks WebSocket and echoes.
 */
export async function startStreamUpstream(): Promise<StreamUpstream> {
  const uploads: Upload[] = [];
  const offered = newTally();
  let active = 0;
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    active += 1;
    response.on('close', () => {
      active -= 1;
    });
    const url = new URL(request.url ?? '', 'http://upstream');
    if (url.pathname === '/upload') return receive(request, response, uploads);
    if (url.pathname === '/download') return void send(response, url.searchParams, offered);
    if (url.pathname === '/events') return sendEvents(response);
    if (url.pathname === '/silent')
      return void response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
    if (url.pathname === '/duplex') return void request.pipe(response.writeHead(200));
    if (url.pathname === '/trailers') return echoTrailers(request, response);
    if (url.pathname === '/slow') return answerLate(response, Number(url.searchParams.get('ms')));
    response.writeHead(404).end();
  });
  const sockets = new WebSocketServer({ server, maxPayload: 64 * 1024 * 1024, autoPong: true });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    server,
    uploads,
    offered,
    get active() {
      return active;
    },
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, number) => (error === null ? resolve(number) : reject(error))),
      ),
    async close() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function receive(request: IncomingMessage, response: ServerResponse, uploads: Upload[]): void {
  const upload: Upload = { ...newTally(), complete: false, closed: false, headers: request.headers };
  uploads.push(upload);
  request.on('data', (part: Buffer) => count(upload, part));
  request.on('end', () => {
    upload.complete = true;
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(
      JSON.stringify({
        bytes: upload.bytes,
        crc: upload.crc,
        framing: request.headers['transfer-encoding'] ?? request.headers['content-length'],
      }),
    );
  });
  request
    .on('error', () => {})
    .on('close', () => {
      upload.closed = true;
    });
}

async function send(response: ServerResponse, options: URLSearchParams, offered: Tally): Promise<void> {
  const bytes = Number(options.get('bytes'));
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    ...(options.has('length') ? { 'Content-Length': bytes } : {}),
  });
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  for (const block of fileBlocks(bytes)) {
    if (gone.signal.aborted) return;
    const more = response.write(block);
    count(offered, block);
    if (!more) await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
  }
  response.end();
}

function sendEvents(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  let number = 0;
  const timer = setInterval(() => {
    response.write(`id: ${number}\ndata: event ${number}\n\n`);
    number += 1;
  }, 50);
  response.on('close', () => clearInterval(timer));
}

function answerLate(response: ServerResponse, afterMs: number): void {
  const timer = setTimeout(() => response.end('at last'), afterMs);
  response.on('close', () => clearTimeout(timer));
}

function echoTrailers(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/plain', Trailer: 'X-Checksum, X-Seen' });
  request.resume().on('end', () => {
    response.write('body');
    response.addTrailers({ 'X-Checksum': 'of-the-reply', 'X-Seen': request.trailers['x-checksum'] ?? 'none' });
    response.end();
  });
}

const PATTERN = Buffer.from(Array.from({ length: 4093 }, (_, index) => (index * 167 + (index >> 3)) & 0xff));
