import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Exchange, Wire } from '../exchange.ts';
import { lowerCaseName } from '../lib/http-fields.ts';
import { readReplyFields, replyTrailers } from './reply-fields.ts';

/** Writes a reply to an HTTP/2 stream. Once the client or the reply is gone, calls are ignored. */
export class Http2Wire implements Wire {
  readonly stream: ServerHttp2Stream;
  exchange: Exchange | undefined = undefined;
  readonly takeOver = undefined;
  onDrain: (() => void) | undefined = undefined;
  readonly #toHead: boolean;
  #state = FRESH;
  #bodiless = false;
  /** Bytes still owed of a declared length; -1 where none is declared. */
  #owed = -1;
  #trailers: readonly string[] | undefined = undefined;
  #heedsDrain = false;
  /** Set where the gateway itself has ended the stream early: that is not the client's doing. */
  cutByUs = false;

  constructor(stream: ServerHttp2Stream, method: string | undefined) {
    this.stream = stream;
    this.#toHead = method === 'HEAD';
  }

  get hasBegun(): boolean {
    return this.#state >= BEGUN;
  }

  get isComplete(): boolean {
    return this.#state === ENDED;
  }

  /** Throws where a field is invalid, with nothing sent, so that another head may follow; and where the head has been sent. */
  head(status: number, headers: readonly string[]): void {
    if (this.#isGone()) return;
    if (this.#state !== FRESH) throw new Error('the head of the reply is already written');
    // Node puts a list together with NUL between its parts: a value with one would make fields of its own (attack 23).
    const { endToEnd: fields, length } = readReplyFields(headers);
    this.#bodiless = this.#toHead || status === 204 || status === 205 || status === 304;
    const list: string[] = [':status', String(status)];
    for (let at = 0; at < fields.length; at += 2) {
      const name = lowerCaseName(fields[at] as string); // at < length
      if (status === 204 && name === 'content-length') continue;
      list.push(name, fields[at + 1] as string); // the list has pairs
    }
    // Trailers can only follow where the length was left open; asking for them costs an event and a frame.
    this.stream.respond(list, { waitForTrailers: length < 0 && !this.#bodiless });
    if (length < 0 && !this.#bodiless) this.stream.on('wantTrailers', () => this.#sendTrailers());
    if (!this.#bodiless) this.#owed = length;
    this.#state = BEGUN;
  }

  write(chunk: Uint8Array): boolean {
    // The head has left already; no bytes are no frame.
    if (this.#isGone() || this.#state !== BEGUN || this.#bodiless || chunk.byteLength === 0) return true;
    if (this.#owed >= 0) {
      this.#owed -= chunk.byteLength;
      if (this.#owed < 0) return this.#fault();
    }
    if (this.stream.write(chunk)) return true;
    if (!this.#heedsDrain) {
      this.#heedsDrain = true;
      this.stream.on('drain', () => this.onDrain?.());
    }
    return false;
  }

  end(last: Uint8Array | string | undefined, trailers: readonly string[] | undefined): void {
    if (this.#isGone() || this.#state !== BEGUN) return;
    if (this.#bodiless) {
      this.#state = ENDED;
      return;
    }
    if (this.#owed >= 0 && this.#owed !== sizeOf(last)) {
      this.#fault();
      return;
    }
    this.#state = ENDED;
    this.#trailers = replyTrailers(trailers);
    this.stream.end(last);
  }

  abort(): void {
    if (this.#state === GONE) return;
    this.#state = GONE;
    this.cutByUs = true;
    this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  /** The stream is closed: tells the road, once, unless the reply was complete. */
  lost(reason: string): void {
    if (this.#state === GONE || (this.#state === ENDED && this.stream.rstCode === constants.NGHTTP2_NO_ERROR)) return;
    this.#state = GONE;
    const exchange = this.exchange;
    if (exchange === undefined) return;
    exchange.aborted = true;
    exchange.internalDetail ??= reason;
    exchange.onAbort?.();
  }

  #isGone(): boolean {
    return this.#state === GONE || this.stream.destroyed || this.stream.closed;
  }

  #fault(): false {
    this.lost('the reply did not have the length it declared');
    this.cutByUs = true;
    this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return false;
  }

  #sendTrailers(): void {
    if (this.stream.destroyed || this.stream.closed) return;
    const trailers: Record<string, string[]> = Object.create(null);
    const valid = this.#trailers ?? [];
    for (let at = 0; at < valid.length; at += 2) {
      const name = (valid[at] as string).toLowerCase(); // at < length
      trailers[name] = [...(trailers[name] ?? []), valid[at + 1] as string]; // the list has pairs
    }
    try {
      this.stream.sendTrailers(trailers);
    } catch {
      this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
  }
}

function sizeOf(body: Uint8Array | string | undefined): number {
  if (body === undefined) return 0;
  return typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
}

const FRESH = 0;
const BEGUN = 1;
const ENDED = 2;
const GONE = 3;
