import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { PemPair } from './certificate-authority.ts';

export interface AppRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** The server of a client, on https: it publishes documents, and is called back. */
export interface AppServer {
  /** With its name, such as https://localhost:1234. */
  readonly url: string;
  readonly port: number;
  /** Every request, oldest first. */
  readonly seen: AppRequest[];
  close(): Promise<void>;
}

export async function startAppServer(
  certificate: PemPair,
  answer: (request: AppRequest, response: ServerResponse<IncomingMessage>, url: string) => void,
): Promise<AppServer> {
  const seen: AppRequest[] = [];
  const server = createServer(certificate, async (request, response) => {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    const facts = { method: request.method ?? '', path: request.url ?? '', body };
    seen.push(facts);
    answer(facts, response, url);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = `https://localhost:${address.port}`;
  return {
    url,
    port: address.port,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function sendJson(response: ServerResponse<IncomingMessage>, body: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
