import { type IncomingHttpHeaders, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { createServer } from 'node:net';

export interface Question {
  readonly port: number;
  readonly path: string;
  /** PEM of the certificate to trust; undefined asks in plain HTTP. */
  readonly ca: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request on a connection of its own to 127.0.0.1; rejects where there is no complete answer within two seconds. */
export async function ask(question: Question): Promise<Answer> {
  const { port, path, ca, headers = {} } = question;
  const shared = { host: '127.0.0.1', port, path, headers, agent: false, signal: AbortSignal.timeout(2_000) } as const;
  return new Promise((resolve, reject) => {
    const request = ca === undefined ? requestPlain(shared) : requestTls({ ...shared, ca, servername: 'localhost' });
    request.on('error', reject);
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      response.on('error', reject);
    });
    request.end();
  });
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('a TCP server has no port'));
        else resolve(address.port);
      });
    });
  });
}
