import { Problem } from '../errors/problem.ts';
import { MALFORMED, mayBecomeHead } from './http1-request.ts';

/** A complete head, without its blank line, and what came behind it. */
export interface HeadBytes {
  /** Latin-1: a character is an octet. */
  readonly text: string;
  readonly rest: Buffer;
}

/** Puts the heads of a connection's requests together from the pieces they come in. */
export class HeadReader {
  #held: Buffer = EMPTY;

  /** Whether a head has begun that is not complete. What may be half of a blank line has begun nothing. */
  get hasBegun(): boolean {
    return this.#held.length > 0 && this.#held[0] !== CR;
  }

  /** A head as soon as it is complete; undefined while it may become one. `limit` in bytes. After a Problem it must not be used again. */
  take(bytes: Buffer, limit: number): HeadBytes | Problem | undefined {
    const all = withoutBlankLines(this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]));
    const known = Math.max(0, all.length - bytes.length);
    const end = all.indexOf(END, Math.max(0, known - END.length));
    if (end > limit || (end < 0 && all.length >= limit + END.length)) return TOO_LARGE;
    if (end >= 0) {
      this.#held = EMPTY;
      return { text: all.toString('latin1', 0, end), rest: all.subarray(end + END.length) };
    }
    if (!mayBecomeHead(all.toString('latin1', Math.max(0, known - 1)))) return MALFORMED;
    this.#held = all;
    return undefined;
  }
}

/** RFC 9112 §2.2: blank lines before a request are no part of it. */
function withoutBlankLines(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at === 0 ? bytes : bytes.subarray(at);
}

const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const END = Buffer.from('\r\n\r\n');

const TOO_LARGE = new Problem('headers-too-large', {
  detail: 'The request head has more bytes than this listener takes.',
});
