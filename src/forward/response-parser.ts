import { ChunkedDecoder } from '../lib/chunked-decoder.ts';
import type { HeaderList } from '../lib/header-list.ts';
import { MalformedMessage } from '../lib/malformed-message.ts';
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

type State = 'idle' | 'head' | 'length' | 'until-close' | 'chunked' | 'switched';

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
  /** An incomplete head. */
  #held: Buffer = EMPTY;
  #decoder: ChunkedDecoder | undefined = undefined;
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
        case 'chunked':
          this.#chunkedBody(rest);
          return;
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
    const { text, rest } = this.#take(bytes);
    if (text === undefined) return rest;
    checkLines(text);

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
      this.#state = 'chunked';
      this.#decoder = new ChunkedDecoder(CHUNKED_RULES, (data) => this.#events.onData(data));
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

  #chunkedBody(bytes: Buffer): void {
    const decoder = this.#decoder as ChunkedDecoder; // made with the state
    let rest: Buffer | undefined;
    try {
      rest = decoder.feed(bytes);
    } catch (error) {
      throw error instanceof MalformedMessage ? new BadResponse(error.message) : error;
    }
    if (rest === undefined) return;
    this.#decoder = undefined;
    this.#finish(decoder.trailers.length === 0 ? undefined : decoder.trailers, rest.length > 0);
  }

  #finish(trailers: readonly string[] | undefined, surplus: boolean): void {
    this.#state = 'idle';
    // Surplus bytes would be read as the answer to somebody else's request (Node CVE-2026-48931).
    this.#events.onEnd(trailers, this.#keepAlive && !surplus);
  }

  /** The head as lines, and the bytes behind it; holds back what is not complete yet. */
  #take(bytes: Buffer): { text: string | undefined; rest: Buffer } {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const at = all.indexOf(HEAD_END);
    if (at < 0 ? all.length > MAX_HEAD_BYTES + HEAD_END.length : at > MAX_HEAD_BYTES)
      throw new BadResponse(`a response head of more than ${MAX_HEAD_BYTES} bytes`);
    if (at < 0) {
      // Lines that end in LF alone would never complete it, and the client would wait in vain.
      if (BARE_LF.test(all.toString('latin1'))) throw new BadResponse('a bare LF in the response head');
      this.#held = Buffer.from(all); // a copy: the caller's buffer is only lent
      return { text: undefined, rest: EMPTY };
    }
    this.#held = EMPTY;
    return { text: all.toString('latin1', 0, at + 2), rest: all.subarray(at + HEAD_END.length) };
  }
}

const EMPTY = Buffer.alloc(0);
const HEAD_END = Buffer.from('\r\n\r\n');
const MAX_HEAD_BYTES = 64 * 1024;
const CHUNKED_RULES = { trailerBytes: 64 * 1024, trailerFields: 256, padding: true };
const MAX_INTERIM_RESPONSES = 16;
const BARE_LF = /(?<!\r)\n/;
