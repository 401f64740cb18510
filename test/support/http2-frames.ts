import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { statusOf } from './hpack.ts';

/** HTTP/2 written by hand (RFC 9113): what a well-behaved client library would refuse to send. */

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Any frame at all: nothing is checked. */
export function frame(type: number, flags: number, stream: number, payload: Buffer | string = EMPTY): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const bytes = Buffer.alloc(9 + body.length);
  bytes.writeUIntBE(body.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  body.copy(bytes, 9);
  return bytes;
}

export function headersFrame(stream: number, block: Buffer, { endStream = true, endHeaders = true } = {}): Buffer {
  return frame(FRAME.headers, (endStream ? FLAG.endStream : 0) | (endHeaders ? FLAG.endHeaders : 0), stream, block);
}

export function dataFrame(stream: number, data: string | Buffer, { endStream = true } = {}): Buffer {
  return frame(FRAME.data, endStream ? FLAG.endStream : 0, stream, data);
}

export function resetFrame(stream: number, code = 8): Buffer {
  return frame(FRAME.reset, 0, stream, uint32(code));
}

export function windowUpdateFrame(stream: number, increment: number): Buffer {
  return frame(FRAME.windowUpdate, 0, stream, uint32(increment));
}

/** `settings`: identifier → value. */
export function settingsFrame(settings: Readonly<Record<number, number>> = {}): Buffer {
  const entries = Object.entries(settings);
  const payload = Buffer.alloc(entries.length * 6);
  entries.forEach(([identifier, value], at) => {
    payload.writeUInt16BE(Number(identifier), at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  });
  return frame(FRAME.settings, 0, 0, payload);
}

export function priorityFrame(stream: number, dependsOn: number, weight = 16): Buffer {
  return frame(FRAME.priority, 0, stream, Buffer.concat([uint32(dependsOn), Buffer.from([weight])]));
}

/** The pseudo-headers of a request. */
export function requestFields(path: string, method = 'GET', authority = 'localhost'): [string, string][] {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':authority', authority],
    [':path', path],
  ];
}

export interface Http2Reply {
  /** 0 where none came. */
  readonly status: number;
  readonly body: string;
  /** The stream was reset, or the connection ended before the reply was complete. */
  readonly broken: boolean;
}

/** A connection that has exchanged prefaces and keeps the frames that come in. */
export class RawHttp2 {
  readonly socket: TLSSocket;
  /** What TLS runs upon: it can be reset. */
  readonly tcp: Socket;
  /** The latest ones; a flood of replies does not fill the memory of the test. */
  readonly frames: Frame[] = [];
  closed = false;
  #rest: Buffer = EMPTY;
  #goneAway = false;
  #pings = 0;
  readonly #ended = new Set<number>();
  readonly #watchers = new Set<() => void>();

  constructor(socket: TLSSocket, tcp: Socket) {
    this.socket = socket;
    this.tcp = tcp;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#notify();
    });
  }

  /** The other side has said that it is over, or it is. */
  get isOver(): boolean {
    return this.closed || this.#goneAway;
  }

  write(...parts: readonly Buffer[]): boolean {
    return this.closed || !this.socket.writable ? true : this.socket.write(Buffer.concat(parts));
  }

  /** The same, and waits where the other side does not keep up. Resolves with false once the connection is over. */
  async send(...parts: readonly Buffer[]): Promise<boolean> {
    if (!this.write(...parts)) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 5_000);
        this.socket.once('drain', resolve).once('close', resolve);
        timer.unref();
      });
    }
    return !this.isOver;
  }

  /** Resolves with whether the condition came to hold in time, or at once when the connection closes. */
  until(condition: () => boolean, withinMs = 10_000): Promise<boolean> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition() && !this.closed) return;
        clearTimeout(timer);
        this.#watchers.delete(check);
        resolve(condition());
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(check);
        resolve(condition());
      }, withinMs);
      this.#watchers.add(check);
      check();
    });
  }

  /** Resolves when the other side has dealt with what was sent so far, or the connection is over. */
  async roundTrip(withinMs = 5_000): Promise<void> {
    const before = this.#pings;
    this.write(frame(FRAME.ping, 0, 0, 'is it so'));
    await this.until(() => this.#pings > before || this.isOver, withinMs);
  }

  /** Whether the other side has ended or reset a stream. */
  hasEnded(stream: number): boolean {
    return this.#ended.has(stream);
  }

  /** What became of a stream. */
  async reply(stream: number, withinMs = 5_000): Promise<Http2Reply> {
    await this.until(() => this.#ended.has(stream) || this.isOver, withinMs);
    const frames = this.frames.filter((each) => each.stream === stream);
    const head = frames.find((each) => each.type === FRAME.headers);
    const body = Buffer.concat(frames.filter((each) => each.type === FRAME.data).map((each) => each.payload)).toString(
      'latin1',
    );
    const whole = frames.some((each) => isEnd(each) && each.type !== FRAME.reset);
    return { status: head === undefined ? 0 : statusOf(head.payload), body, broken: !whole };
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) break;
      const one: Frame = {
        type: bytes[3] ?? 0,
        flags: bytes[4] ?? 0,
        stream: bytes.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(bytes.subarray(9, 9 + length)),
      };
      this.frames.push(one);
      if (isEnd(one)) this.#ended.add(one.stream);
      if (one.type === FRAME.goAway) this.#goneAway = true;
      if (one.type === FRAME.ping && one.flags === FLAG.ack) this.#pings += 1;
      bytes = bytes.subarray(9 + length);
    }
    this.#rest = bytes;
    if (this.frames.length > 20_000) this.frames.splice(0, 10_000);
    this.#notify();
  }

  #notify(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

export interface Http2Target {
  readonly port: number;
  readonly ca: string;
}

/** Connects and sends the preface; `settings` as in `settingsFrame`. Header compression is turned off, so that replies can be read. */
export async function openHttp2(
  target: Http2Target,
  settings: Readonly<Record<number, number>> = {},
): Promise<RawHttp2> {
  const connection = await openSilent(target);
  connection.write(PREFACE, settingsFrame({ 1: 0, ...settings }));
  await connection.until(() => connection.frames.some((each) => each.type === FRAME.settings && each.flags === 0));
  connection.write(frame(FRAME.settings, FLAG.ack, 0));
  return connection;
}

/** A connection that has agreed on h2 and sent nothing yet. */
export function openSilent(target: Http2Target): Promise<RawHttp2> {
  return new Promise((resolve, reject) => {
    const tcp = connectTcp({ port: target.port, host: '127.0.0.1' });
    const socket = connect({ socket: tcp, ca: target.ca, servername: 'localhost', ALPNProtocols: ['h2'] });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve(new RawHttp2(socket, tcp));
    });
  });
}

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const EMPTY = Buffer.alloc(0);

function isEnd({ type, flags }: Frame): boolean {
  return type === FRAME.reset || ((type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0);
}
