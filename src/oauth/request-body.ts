import { IncomingMessage } from 'node:http';

/** The largest body any endpoint reads, in bytes; oidc-provider has the same bound. */
const MAX_BODY = 56 * 1024;

export type ReadBody = { readonly body: Buffer } | { readonly refused: 'too-large' | 'aborted' };

/** Reads a body whole, within the bound. */
export async function readBody(req: IncomingMessage): Promise<ReadBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of req.iterator({ destroyOnReturn: false })) {
      // Without an encoding set, Node hands out bytes.
      const bytes = chunk as Buffer;
      length += bytes.length;
      if (length > MAX_BODY) return { refused: 'too-large' };
      chunks.push(bytes);
    }
  } catch {
    return { refused: 'aborted' };
  }
  return { body: Buffer.concat(chunks, length) };
}

/** The same request with another body, for the handler that reads it next. */
export function withBody(req: IncomingMessage, body: Buffer): IncomingMessage {
  const copy = new IncomingMessage(req.socket);
  copy.httpVersion = req.httpVersion;
  copy.method = req.method;
  copy.url = req.url;
  copy.rawHeaders = req.rawHeaders;
  copy.headers = { ...req.headers, 'content-length': String(body.length) };
  delete copy.headers['transfer-encoding'];
  copy.complete = true;
  copy.push(body);
  copy.push(null);
  return copy;
}
