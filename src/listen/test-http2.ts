import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type TestListener, until } from './test-listener.ts';

// Test support: HTTP/2 clients. They do not verify the certificate: other tests are about that.

/** A client that does as the RFC says. */
export class Client implements Disposable {
  readonly session: ClientHttp2Session;

  constructor(test: TestListener) {
    this.session = connect(`https://a.example:${test.port}`, {
      host: '127.0.0.1',
      rejectUnauthorized: false,
      servername: 'a.example',
    });
    this.session.on('error', () => undefined);
  }

  async fetch(headers: OutgoingHttpHeaders = {}, body?: string, trailers?: OutgoingHttpHeaders) {
    const stream = this.session.request(
      { ':authority': 'a.example', ...headers },
      { endStream: body === undefined, waitForTrailers: trailers !== undefined },
    );
    if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    if (body !== undefined) stream.end(body);
    let text = '';
    let status = 0;
    const replyHeaders: Record<string, unknown> = {};
    const replyTrailers: Record<string, unknown> = {};
    stream.on('response', (fields) => {
      status = fields[':status'] ?? 0;
      Object.assign(replyHeaders, fields);
    });
    stream.on('trailers', (fields) => Object.assign(replyTrailers, fields));
    stream.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    stream.on('error', () => undefined);
    await once(stream, 'close', { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    return { status, text, headers: replyHeaders, trailers: replyTrailers, reset: stream.rstCode };
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;
export const END_STREAM = 1;
export const END_HEADERS = 4;

/** A client that writes its frames by hand. */
export class RawClient implements Disposable {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  #bytes = Buffer.alloc(0);

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  static async connect(test: TestListener): Promise<RawClient> {
    const socket = connectTls({
      host: '127.0.0.1',
      port: test.port,
      rejectUnauthorized: false,
      servername: 'a.example',
      ALPNProtocols: ['h2'],
    });
    await once(socket, 'secureConnect');
    const client = new RawClient(socket);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    client.send(SETTINGS, 0, 0);
    return client;
  }

  send(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): void {
    if (this.socket.writable) this.socket.write(frame(type, flags, stream, payload));
  }

  request(stream: number, fields: readonly [string, string][], flags = END_STREAM): void {
    this.send(HEADERS, flags | END_HEADERS, stream, hpack(fields));
  }

  /** The first frame that fits; rejects where the connection ends before it. */
  async frame(test: (frame: Frame) => boolean): Promise<Frame> {
    let found: Frame | undefined;
    await until(() => {
      found = this.frames.find(test);
      return found !== undefined || this.socket.destroyed;
    });
    if (found === undefined) throw new Error(`not among ${JSON.stringify(this.frames)}`);
    return found;
  }

  async goaway(): Promise<number> {
    return (await this.frame(({ type }) => type === GOAWAY)).payload.readUInt32BE(4);
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + length) return;
      const [, , , type = 0, flags = 0] = this.#bytes;
      this.frames.push({
        type,
        flags,
        stream: this.#bytes.readUInt32BE(5),
        payload: this.#bytes.subarray(9, 9 + length),
      });
      this.#bytes = this.#bytes.subarray(9 + length);
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Literal fields without indexing (RFC 7541 §6.2.2). */
export function hpack(fields: readonly [string, string][]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), hpackText(name), hpackText(value)]));
}

function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const size = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) size.push((rest & 127) | 128);
  return Buffer.concat([Buffer.of(...size, rest), bytes]);
}

const REQUEST: readonly [string, string][] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'a.example'],
  [':path', '/x'],
];

export function requestWith(
  changes: Record<string, string | undefined>,
  ...more: [string, string][]
): [string, string][] {
  const kept: [string, string][] = [];
  for (const [name, value] of REQUEST) {
    const changed = name in changes ? changes[name] : value;
    if (changed !== undefined) kept.push([name, changed]);
  }
  return [...kept, ...more];
}
