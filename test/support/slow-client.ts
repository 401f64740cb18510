import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { until } from './until.ts';

/** A client of plain HTTP/1.1 whose pace the test sets. */
export class SlowClient {
  readonly socket: Socket;
  text = '';
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number, localAddress = '127.0.0.1') {
    this.socket = connect({ port, host: '127.0.0.1', localAddress });
    this.socket.setEncoding('latin1').on('data', (part: string) => {
      this.text += part;
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.#closed = true;
      clearInterval(this.#timer);
    });
  }

  write(text: string): void {
    if (this.socket.writable) this.socket.write(text, 'latin1');
  }

  /** Writes a character every 100 ms. */
  dribble(text: string): void {
    let at = 0;
    this.#timer = setInterval(() => {
      if (at < text.length) this.write(text[at] ?? '');
      at += 1;
    }, 100);
  }

  /** Resolves when this has been said. */
  async heard(pattern: RegExp): Promise<void> {
    await until(`${pattern}`, () => pattern.test(this.text));
  }

  /** Whether a good reply comes before the connection is closed. */
  async isServed(): Promise<boolean> {
    const good = (): boolean => this.text.startsWith('HTTP/1.1 200');
    await until('a reply or the end', () => this.#closed || good());
    return good();
  }

  /** The gateway ends the connection, and this is what it has said by then. */
  async assertCut(said: RegExp): Promise<void> {
    try {
      await until('the end of the connection', () => this.#closed, 20_000);
    } finally {
      this.socket.destroy();
      clearInterval(this.#timer);
    }
    assert.match(this.text, said);
  }
}
