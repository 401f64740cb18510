import { STATUS_CODES } from 'node:http';
import type { Wire } from '../exchange.ts';
import type { HttpSocket } from './connection.ts';
import { checkReplyFields, withoutHopByHop } from './reply-fields.ts';

/** Writes one complete reply to an HTTP/1.1 connection on which no other reply is under way or can follow, and ends it. */
export class RawWire implements Wire {
  readonly #socket: HttpSocket;
  #head = '';
  #body: Uint8Array[] = [];
  #ended = false;
  readonly takeOver = undefined;
  onDrain: (() => void) | undefined = undefined;

  constructor(socket: HttpSocket) {
    this.#socket = socket;
  }

  head(status: number, headers: readonly string[]): void {
    this.#head = `${statusLine(status)}${fieldLines(headers)}Date: ${new Date().toUTCString()}\r\nConnection: close\r\n\r\n`;
  }

  write(chunk: Uint8Array): boolean {
    this.#body.push(chunk);
    return true;
  }

  end(last: Uint8Array | string | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    if (last !== undefined) this.#body.push(typeof last === 'string' ? Buffer.from(last) : last);
    this.#socket.end(Buffer.concat([Buffer.from(this.#head, 'latin1'), ...this.#body]));
  }

  abort(): void {
    this.#ended = true;
    this.#socket.destroy();
  }
}

/** The status line of a reply, with its CRLF. */
export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
}

/** The end-to-end fields of a reply as they stand on the wire. Throws where one is invalid. */
export function fieldLines(headers: readonly string[]): string {
  const fields = withoutHopByHop(headers);
  checkReplyFields(fields);
  let lines = '';
  for (let at = 0; at < fields.length; at += 2) lines += `${fields[at]}: ${fields[at + 1]}\r\n`;
  return lines;
}
