import { getCACertificates } from 'node:tls';
import type { Client } from 'acme-client';
import { Agent, request } from 'undici';

export interface AcmeTransport {
  /** Sends all requests of this client through the transport. */
  attach(client: Client): void;
  close(): Promise<void>;
}

export interface AcmeTransportOptions {
  /** Roots to trust besides the system's, PEM. */
  readonly ca?: string | undefined;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

/** The ACME server asks us to come back later (RFC 8555 §6.6); `retryAfter` in milliseconds where it said when. */
class AcmeBusyError extends Error {
  override readonly name = 'AcmeBusyError';
  readonly retryAfter: number | undefined;

  constructor(message: string, retryAfter: number | undefined) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

/**
 * How acme-client reaches its server. Its own way is one axios instance for the whole process: roots given to one
 * manager would hold for all, requests have no deadline, bodies no bound, and retries go on after a close.
 * This one is HTTPS only (RFC 8555 §6.1), verified, 30 s a request, 1 MiB a reply, and follows no redirects.
 */
export function createAcmeTransport(options: AcmeTransportOptions): AcmeTransport {
  const ca = options.ca === undefined ? undefined : [...getCACertificates('default'), options.ca];
  const agent = new Agent({ connect: { timeout: REQUEST_TIMEOUT, ...(ca === undefined ? {} : { ca }) } });

  async function send(url: string, method: string, message: Message = {}): Promise<AcmeResponse> {
    if (!URL.canParse(url) || new URL(url).protocol !== 'https:') {
      throw new Error(`the ACME server is reached over https only, not at ${JSON.stringify(url)}`);
    }
    const reply = await request(url, {
      dispatcher: agent,
      method: method.toUpperCase() === 'HEAD' ? 'HEAD' : method.toUpperCase() === 'GET' ? 'GET' : 'POST',
      headers: { 'content-type': 'application/jose+json', 'user-agent': 'sallyport', ...message.headers },
      body: message.data === undefined ? null : JSON.stringify(message.data),
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(REQUEST_TIMEOUT)]),
    });
    const text = await readBounded(reply.body, url);
    const retryAfter = parseRetryAfter(singleValue(reply.headers['retry-after']));
    if (reply.statusCode === 429 || reply.statusCode >= 500) {
      throw new AcmeBusyError(`${url} answered ${reply.statusCode}: ${excerpt(text)}`, retryAfter);
    }
    return { status: reply.statusCode, headers: reply.headers, data: parseBody(text) };
  }

  return {
    attach(client): void {
      // `http` is not among the library's types, its version is pinned, and a library without it stops here, loudly.
      const inner = (client as unknown as { readonly http?: { request?: unknown } }).http;
      if (typeof inner?.request !== 'function')
        throw new Error('this version of acme-client has no replaceable transport');
      inner.request = send;
    },
    async close(): Promise<void> {
      await agent.destroy();
    },
  };
}

/** What acme-client passes and expects: the shape of axios. */
interface Message {
  readonly headers?: Readonly<Record<string, string>>;
  readonly data?: unknown;
}

interface AcmeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly data: unknown;
}

async function readBounded(body: AsyncIterable<Uint8Array>, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_REPLY) throw new Error(`${url} answered with more than 1 MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** JSON where it is JSON; a certificate chain stays text. */
function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Seconds or a date (RFC 9110 §10.2.3), as milliseconds from now. */
function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const delay = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(delay) && delay > 0 ? delay : undefined;
}

function singleValue(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

/** The server's words as one printable line, for the log. */
function excerpt(text: string): string {
  return text.slice(0, 300).replace(/[^\x20-\x7e]+/g, ' ');
}

const REQUEST_TIMEOUT = 30_000;
const MAX_REPLY = 2 ** 20;
