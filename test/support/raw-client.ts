import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface RawReply {
  /** 0 where the connection closed without a reply. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** Everything that came, further replies included. */
  readonly text: string;
  readonly closed: boolean;
}

export interface RawTarget {
  readonly port: number;
  /** The CA to trust; plain text where it is missing. */
  readonly ca?: string;
  readonly servername?: string;
}

/**
 * Writes bytes by hand and resolves with what came back: when the other side closes, when `replies` replies are complete, or when nothing
 * comes for `quietMs`.
 */
export function sendRaw(
  target: RawTarget,
  bytes: string | Buffer,
  { replies = 1, quietMs = 3_000 } = {},
): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const socket: Socket =
      target.ca === undefined
        ? connect({ port: target.port, host: '127.0.0.1' })
        : connectTls({
            port: target.port,
            host: '127.0.0.1',
            ca: target.ca,
            servername: target.servername ?? 'localhost',
            ALPNProtocols: ['http/1.1'],
          });
    let text = '';
    let done = false;
    let timer: NodeJS.Timeout | undefined;
    const finish = (closed: boolean): void => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...parseReply(text), text, closed });
    };
    const restart = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => finish(false), quietMs);
    };
    socket.setEncoding('latin1');
    socket.on('data', (part: string) => {
      text += part;
      restart();
      if (countReplies(text) >= replies) setTimeout(() => finish(false), 50); // long enough for a close that follows at once
    });
    socket.on('end', () => finish(true)).on('close', () => finish(true));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? finish(true) : reject(error),
    );
    restart();
    socket.write(bytes);
  });
}

/** A request head with Host and `Connection: close`. */
export function head(requestLine: string, ...fields: string[]): string {
  return `${[requestLine, 'Host: localhost', ...fields].join('\r\n')}\r\n\r\n`;
}

function parseReply(text: string): { status: number; head: string; body: string } {
  const end = text.indexOf('\r\n\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  return {
    status: Number(status ?? 0),
    head: end < 0 ? text : text.slice(0, end),
    body: end < 0 ? '' : text.slice(end + 4),
  };
}

/** Replies that are complete and say by themselves where they end. */
function countReplies(text: string): number {
  let count = 0;
  let rest = text;
  for (let end = rest.indexOf('\r\n\r\n'); end >= 0; end = rest.indexOf('\r\n\r\n')) {
    const isInterim = /^HTTP\/1\.1 1\d\d/.test(rest);
    const isBodiless = isInterim || /^HTTP\/1\.1 [23]04/.test(rest);
    const length = isBodiless ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(rest.slice(0, end))?.[1] ?? Number.NaN);
    if (Number.isNaN(length) || rest.length < end + 4 + length) return count;
    if (!isInterim) count += 1;
    rest = rest.slice(end + 4 + length);
  }
  return count;
}
