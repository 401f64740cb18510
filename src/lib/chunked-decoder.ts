import { splitFieldLines } from './field-lines.ts';
import { isToken } from './http-fields.ts';
import { MalformedMessage } from './malformed-message.ts';

/** What is taken of the chunked coding. */
export interface ChunkedRules {
  /** The most a trailer section may hold. */
  readonly trailerBytes: number;
  readonly trailerFields: number;
  /** Whether blanks may stand behind a chunk size, as old servers pad it. RFC 9112 §7.1 does not have them. */
  readonly padding: boolean;
}

/** Reads one body in the chunked coding (RFC 9112 §7.1), lenient in nothing. After it has thrown it must not be fed again. */
export class ChunkedDecoder {
  /** The fields of the trailer section as a flat list, once the body has ended. */
  trailers: readonly string[] = [];
  readonly #rules: ChunkedRules;
  readonly #onData: (data: Buffer) => void;
  #state: 'size' | 'data' | 'data-end' | 'trailers' | 'ended' = 'size';
  /** An incomplete line or trailer section. */
  #held: Buffer = EMPTY;
  /** Bytes of the chunk that are still to come. */
  #remaining = 0;

  /** `onData` is given pieces of the fed bytes, not copies. */
  constructor(rules: ChunkedRules, onData: (data: Buffer) => void) {
    this.#rules = rules;
    this.#onData = onData;
  }

  /** Takes what has come of the body, and returns what came behind its end; undefined where it has not ended. Throws MalformedMessage. */
  feed(bytes: Buffer): Buffer | undefined {
    let rest: Buffer = bytes;
    while (rest.length > 0) {
      switch (this.#state) {
        case 'size':
          rest = this.#size(rest);
          break;
        case 'data':
          rest = this.#data(rest);
          break;
        case 'data-end':
          rest = this.#dataEnd(rest);
          break;
        case 'trailers':
          rest = this.#trailerSection(rest);
          break;
        case 'ended':
          return rest;
      }
    }
    return this.#state === 'ended' ? EMPTY : undefined;
  }

  #size(bytes: Buffer): Buffer {
    const { text, rest } = this.#take(bytes, CRLF, MOST_LINE_BYTES);
    if (text === undefined) return rest;
    const match = SIZE_LINE.exec(this.#rules.padding ? text.replace(/[ \t]+$/, '') : text);
    if (match === null) throw new MalformedMessage('a malformed chunk size');
    this.#remaining = Number.parseInt(match[1] ?? '', 16);
    this.#state = this.#remaining === 0 ? 'trailers' : 'data';
    return rest;
  }

  #data(bytes: Buffer): Buffer {
    const taken = Math.min(bytes.length, this.#remaining);
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#state = 'data-end';
    this.#onData(bytes.subarray(0, taken));
    return bytes.subarray(taken);
  }

  #dataEnd(bytes: Buffer): Buffer {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    if (all[0] !== CR || (all.length > 1 && all[1] !== LF))
      throw new MalformedMessage('chunk data longer than its size');
    this.#held = all.length > 1 ? EMPTY : Buffer.from(all);
    if (all.length > 1) this.#state = 'size';
    return all.subarray(2);
  }

  #trailerSection(bytes: Buffer): Buffer {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = EMPTY;
    if (all[0] === CR && all[1] === LF) {
      this.#state = 'ended';
      return all.subarray(2);
    }
    const { text, rest } = this.#take(all, SECTION_END, this.#rules.trailerBytes);
    if (text === undefined) return rest;
    const fields = splitFieldLines(text, 0, this.#rules.trailerFields);
    for (let at = 0; at < fields.length; at += 2) {
      if (!isToken(fields[at] ?? '') || ILLEGAL_IN_VALUE.test(fields[at + 1] ?? ''))
        throw new MalformedMessage('a malformed trailer field');
    }
    this.trailers = fields;
    this.#state = 'ended';
    return rest;
  }

  /** The text up to a delimiter and the bytes behind it; what is not complete yet is held back. */
  #take(bytes: Buffer, delimiter: Buffer, limit: number): { text: string | undefined; rest: Buffer } {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const at = all.indexOf(delimiter);
    if (at < 0 ? all.length >= limit + delimiter.length : at > limit)
      throw new MalformedMessage(
        `more than ${limit} bytes where ${JSON.stringify(String(delimiter))} was to come`,
        true,
      );
    if (at < 0) {
      // Lines that end in LF alone would never complete it.
      if (BARE_LF.test(all.toString('latin1'))) throw new MalformedMessage('a bare LF in the chunked coding');
      this.#held = Buffer.from(all); // a copy: the caller's buffer may be lent
      return { text: undefined, rest: EMPTY };
    }
    this.#held = EMPTY;
    return { text: all.toString('latin1', 0, at), rest: all.subarray(at + delimiter.length) };
  }
}

const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const CRLF = Buffer.from('\r\n');
const SECTION_END = Buffer.from('\r\n\r\n');
/** With its extensions, which nobody here reads (CVE-2024-22019). */
const MOST_LINE_BYTES = 512;
/** RFC 9112 §7.1.1: names and perhaps values of extensions follow the size. */
const SIZE_LINE =
  /^([0-9a-fA-F]{1,13})(?:[ \t]*;[ \t]*[\w!#$%&'*+\-.^`|~]+(?:[ \t]*=[ \t]*(?:[\w!#$%&'*+\-.^`|~]+|"(?:[\t !#-[\]-~]|\\[\t -~])*"))?)*$/;
const BARE_LF = /(?<!\r)\n/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the octets a field may not hold (RFC 9110 §5.5)
const ILLEGAL_IN_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;
