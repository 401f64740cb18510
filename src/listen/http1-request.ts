import { IncomingMessage, type ServerResponse } from 'node:http';

/**
 * Node's request, with what this listener does differently: `Expect: 100-continue` is answered when somebody begins to
 * read the body, and the `headers` object is never built (see below).
 */
export class Http1Request extends IncomingMessage {
  /** The response to send 100 Continue with before the body is read; undefined where none is awaited any more. */
  awaitsContinue: ServerResponse | undefined = undefined;
  /** It asked for another protocol and does not get it. Node drops what came in the same piece behind such a request, so no other may follow. */
  ignoresUpgrade = false;
  #framed: boolean | undefined = undefined;

  /** Whether a field announces a body (RFC 9112 §6.3). */
  get announcesBody(): boolean {
    this.#framed ??= announcesBody(this.rawHeaders);
    return this.#framed;
  }

  override _read(size: number): void {
    const response = this.awaitsContinue;
    if (response !== undefined) {
      this.awaitsContinue = undefined;
      if (!response.headersSent) response.writeContinue();
    }
    super._read(size);
  }
}

// Node looks into `headers` for Content-Length and Transfer-Encoding, to spare the stream machinery of requests without a
// body (`optimizeEmptyRequests`), and for Expect, which the listener answers itself. Everybody else reads `rawHeaders`.
// Building the object costs more than all the checks of this listener; TypeScript knows it as a property only.
Object.defineProperty(Http1Request.prototype, 'headers', {
  get(this: Http1Request) {
    return this.announcesBody ? WITH_BODY : WITHOUT_BODY;
  },
});

function announcesBody(raw: readonly string[]): boolean {
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string; // at < length
    if (name.length === 14 && name.toLowerCase() === 'content-length') return true;
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') return true;
  }
  return false;
}

const WITH_BODY = Object.freeze(Object.assign(Object.create(null), { 'content-length': '' }));
const WITHOUT_BODY = Object.freeze(Object.create(null));
