import type { HeaderList } from '../lib/header-list.ts';
import {
  BadResponse,
  checkLines,
  endOfLine,
  parseContentLength,
  parseFields,
  parseStatusLine,
  type ResponseFields,
} from './response-head.ts';

/** What the parser tells its connection, in the order head, data*, end; or switched in place of the last two. */
export interface ResponseEvents {
  /** Called for the final head, never for a 1xx other than 101. */
  onHead(status: number, fields: ResponseFields): void;
  /** The chunk is only valid during the call. */
  onData(chunk: Buffer): void;
  /** `reusable` is false where the connection may not serve another request. */
  onEnd(trailers: readonly string[] | undefined, reusable: boolean): void;
  /** After a 101 the connection speaks another protocol; `surplus` are its first bytes. */
  onSwitched(headers: HeaderList, surplus: Buffer): void;
}

/** What the request was decides how its response is framed (RFC 9112 §6.3). */
export interface ExpectedResponse {
  readonly toHead: boolean;
  readonly upgrade: boolean;
}

type State =
  | 'idle'
  | 'head'
  | 'length'
  | 'until-close'
  | 'chunk-size'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailers'
  | 'switched';

/**
 * An incremental, strict parser of HTTP/1.1 responses (RFC 9112). It is lenient in nothing: an upstream
 * that frames its messages oddly may be a smuggling attempt, so it gets a BadResponse and loses its
 * connection. It is our own because the upstream side is the dearest step of the road:
 * docs/decisions/0003-upstream-wire.md has the comparison.
 */
export class ResponseParser {
  readonly #events: ResponseEvents;
  #state: State = 'idle';
  #expected: ExpectedResponse = { toHead: false, upgrade: false };
  /** An incomplete head, chunk line or trailer section; bounded by the limits above. */
  #held: Buffer = EMPTY;
  #remaining = 0;
  #keepAlive = true;
  #interim = 0;

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  get idle(): boolean {
    return this.#state === 'idle';
  }

  /** Prepares for the response to a request that is about to be sent. */
  expect(expected: ExpectedResponse): void {
    this.#state = 'head';
    this.#expected = expected;
    this.#held = EMPTY;
    this.#keepAlive = true;
    this.#interim = 0;
  }

  /** Throws BadResponse where the bytes break RFC 9112; the connection is then to be destroyed. */
  feed(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      switch (this.#state) {
        case 'idle':
          throw new BadResponse('bytes arrived that no request asked for');
        case 'head':
          rest = this.#head(rest);
          break;
        case 'length':
          rest = this.#lengthBody(rest);
          break;
        case 'until-close':
          this.#events.onData(rest);
          return;
        case 'chunk-size':
          rest = this.#chunkSize(rest);
          break;
        case 'chunk-data':
          rest = this.#chunkData(rest);
          break;
        case 'chunk-end':
          rest = this.#chunkEnd(rest);
          break;
        case 'trailers':
          rest = this.#trailers(rest);
          break;
        case 'switched':
          return;
      }
    }
  }

  /** The upstream closed its side. Throws BadResponse where the response was not complete. */
  eof(): void {
    if (this.#state === 'until-close') {
      this.#state = 'idle';
      this.#events.onEnd(undefined, false);
      return;
    }
    if (this.#state !== 'idle') throw new BadResponse('the connection closed in the middle of a response');
  }

  #head(bytes: Buffer): Buffer {
    const { text, rest } = this.#take(bytes, RESPONSE_HEAD);
    if (text === undefined) return rest;
    checkLines(text, RESPONSE_HEAD.what);

    const lineEnd = endOfLine(text, 0);
    const status = parseStatusLine(text.slice(0, lineEnd));
    const fields = parseFields(text, lineEnd + 2);
    if (status < 200 && status !== 101) {
      this.#interim += 1;
      if (this.#interim > MAX_INTERIM_RESPONSES) throw new BadResponse('too many interim responses');
      return rest;
    }
    if (status === 101) {
      if (!this.#expected.upgrade) throw new BadResponse('a 101 to a request that asked for no upgrade');
      this.#state = 'switched';
      this.#events.onSwitched(fields.endToEnd, rest);
      return EMPTY;
    }
    this.#frame(status, fields, text.startsWith('HTTP/1.0'), rest.length > 0);
    return this.idle ? EMPTY : rest;
  }

  /** RFC 9112 §6.3, in its order; what it leaves to the recipient's leniency is refused. */
  #frame(status: number, fields: ResponseFields, http10: boolean, more: boolean): void {
    const connection = fields.connection?.toLowerCase() ?? '';
    this.#keepAlive = !connection.includes('close') && (!http10 || connection.includes('keep-alive'));

    const chunked = fields.transferEncoding !== undefined;
    if (chunked) {
      if (fields.contentLength !== undefined) throw new BadResponse('both Transfer-Encoding and Content-Length');
      if (http10) throw new BadResponse('Transfer-Encoding in an HTTP/1.0 response');
      if (fields.transferEncoding?.toLowerCase() !== 'chunked')
        throw new BadResponse('a transfer coding other than chunked');
    }
    const length = fields.contentLength === undefined ? undefined : parseContentLength(fields.contentLength);

    if (this.#expected.toHead || status === 204 || status === 304) {
      // Such a response has no content; bytes behind its head would be taken for the next one.
      if (status === 204 && (chunked || (length ?? 0) > 0)) this.#keepAlive = false;
      this.#events.onHead(status, fields);
      this.#finish(undefined, more);
    } else if (chunked) {
      this.#state = 'chunk-size';
      this.#events.onHead(status, fields);
    } else if (length === undefined) {
      this.#state = 'until-close';
      this.#events.onHead(status, fields);
    } else if (length === 0) {
      this.#events.onHead(status, fields);
      this.#finish(undefined, more);
    } else {
      this.#state = 'length';
      this.#remaining = length;
      this.#events.onHead(status, fields);
    }
  }

  #lengthBody(bytes: Buffer): Buffer {
    if (bytes.length < this.#remaining) {
      this.#remaining -= bytes.length;
      this.#events.onData(bytes);
      return EMPTY;
    }
    const surplus = bytes.length > this.#remaining;
    this.#events.onData(surplus ? bytes.subarray(0, this.#remaining) : bytes);
    this.#finish(undefined, surplus);
    return EMPTY;
  }

  #chunkSize(bytes: Buffer): Buffer {
    const { text, rest } = this.#take(bytes, CHUNK_SIZE);
    if (text === undefined) return rest;
    const match = CHUNK_SIZE_LINE.exec(text);
    if (match === null) throw new BadResponse('a malformed chunk size');
    this.#remaining = Number.parseInt(match[1] ?? '', 16);
    this.#state = this.#remaining === 0 ? 'trailers' : 'chunk-data';
    return rest;
  }

  #chunkData(bytes: Buffer): Buffer {
    if (bytes.length < this.#remaining) {
      this.#remaining -= bytes.length;
      this.#events.onData(bytes);
      return EMPTY;
    }
    const end = this.#remaining;
    this.#state = 'chunk-end';
    this.#events.onData(bytes.subarray(0, end));
    return bytes.subarray(end);
  }

  #chunkEnd(bytes: Buffer): Buffer {
    const { text, rest } = this.#take(bytes, CHUNK_END);
    if (text === undefined) return rest;
    if (text !== '') throw new BadResponse('chunk data longer than its size');
    this.#state = 'chunk-size';
    return rest;
  }

  #trailers(bytes: Buffer): Buffer {
    const held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    if (held.subarray(0, 2).equals(CRLF)) {
      this.#held = EMPTY;
      this.#finish(undefined, held.length > 2);
      return EMPTY;
    }
    const { text, rest } = this.#take(bytes, TRAILER_SECTION);
    if (text === undefined) return rest;
    checkLines(text, TRAILER_SECTION.what);
    this.#finish(parseFields(text, 0).endToEnd.raw, rest.length > 0);
    return EMPTY;
  }

  #finish(trailers: readonly string[] | undefined, surplus: boolean): void {
    this.#state = 'idle';
    // Surplus bytes would be read as the answer to somebody else's request (Node CVE-2026-48931).
    this.#events.onEnd(trailers, this.#keepAlive && !surplus);
  }

  /** The text of a part and the bytes behind it; holds back what is not complete yet. */
  #take(bytes: Buffer, { delimiter, kept, limit, what }: Part): { text: string | undefined; rest: Buffer } {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const at = all.indexOf(delimiter);
    if (at < 0 ? all.length > limit + delimiter.length : at > limit)
      throw new BadResponse(`a ${what} of more than ${limit} bytes`);
    if (at < 0) {
      // Lines that end in LF alone would never complete it, and the client would wait in vain.
      if (BARE_LF.test(all.toString('latin1'))) throw new BadResponse(`a bare LF in the ${what}`);
      this.#held = Buffer.from(all); // a copy: the caller's buffer is only lent
      return { text: undefined, rest: EMPTY };
    }
    this.#held = EMPTY;
    return { text: all.toString('latin1', 0, at + kept), rest: all.subarray(at + delimiter.length) };
  }
}

/** A part of a response that is read as text. */
interface Part {
  readonly what: string;
  readonly delimiter: Buffer;
  /** How many bytes of the delimiter belong to the text. */
  readonly kept: number;
  /** The most bytes before the delimiter. */
  readonly limit: number;
}

const EMPTY = Buffer.alloc(0);
const CRLF = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const RESPONSE_HEAD: Part = { what: 'response head', delimiter: HEAD_END, kept: 2, limit: 64 * 1024 };
const CHUNK_SIZE: Part = { what: 'chunk size', delimiter: CRLF, kept: 0, limit: 512 };
const CHUNK_END: Part = { what: 'chunk end', delimiter: CRLF, kept: 0, limit: 2 };
const TRAILER_SECTION: Part = { what: 'trailer section', delimiter: HEAD_END, kept: 2, limit: 64 * 1024 };
const MAX_INTERIM_RESPONSES = 16;
const CHUNK_SIZE_LINE = /^([0-9a-fA-F]{1,13})[ \t]*(?:;[\t\x20-\x7e]*)?$/;
const BARE_LF = /(?<!\r)\n/;
