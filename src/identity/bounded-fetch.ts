import { lookup as resolve } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { Agent, request } from 'undici';
import { canonicalAddress, compileCidrs } from '../lib/cidr.ts';
import { isLoopback } from '../lib/network-address.ts';

/** What a fetch of a document somebody else named may cost, and where it may go. */
export interface FetchBounds {
  /** The longest body, in bytes. */
  readonly maxBytes: number;
  /** From the first packet to the last byte, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether a connection to this address may be opened. It is asked about every address a name resolves to, in their canonical spelling. */
  readonly allows: (address: string) => boolean;
  /** Roots to trust besides the system's, PEM. */
  readonly ca?: string | undefined;
  /** Connections to one origin at a time; what comes above waits within its own timeout. */
  readonly connections?: number;
}

export interface FetchRequest {
  /** POST where there is a body, GET otherwise. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FetchedDocument {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly cacheControl: string | undefined;
  readonly text: string;
}

export interface BoundedFetch {
  /** Rejects with FetchFailed, and with nothing else. Any status but a redirect is an answer. */
  fetch(url: string, request?: FetchRequest): Promise<FetchedDocument>;
  close(): Promise<void>;
}

/** Which bound or rule a fetch ran into. */
export type FetchFault = 'url' | 'address' | 'redirect' | 'size' | 'encoding' | 'timeout' | 'unreachable' | 'content';

/** A document could not be had. The message is for the log: a client that could choose the URL must not see it (attack 44). */
export class FetchFailed extends Error {
  override readonly name = 'FetchFailed';
  readonly fault: FetchFault;

  constructor(fault: FetchFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/**
 * Fetches documents from servers that are not ours: JWK sets, metadata, introspection. Only https, plain http to this machine
 * itself; no redirects; bounded in bytes and time. The addresses are judged by the connection's own look-up and the connection
 * is opened to exactly those, so a name that resolves differently the second time (DNS rebinding) gains nothing (attack 44).
 */
export function createBoundedFetch(bounds: FetchBounds): BoundedFetch {
  const ca = bounds.ca === undefined ? {} : { ca: [...getCACertificates('default'), bounds.ca] };
  const agent = new Agent({
    allowH2: false,
    connections: bounds.connections ?? 4,
    keepAliveTimeout: 1_000,
    maxOrigins: 1_000,
    connect: { ...ca, lookup: guardedLookup(bounds.allows), timeout: bounds.timeoutMs },
  });

  return {
    async fetch(url, { body, headers = {} } = {}) {
      const target = readTarget(url, bounds.allows);
      try {
        const reply = await request(target, {
          dispatcher: agent,
          method: body === undefined ? 'GET' : 'POST',
          headers: { accept: 'application/json', 'user-agent': 'sallyport', ...headers },
          body: body ?? null,
          signal: AbortSignal.timeout(bounds.timeoutMs),
        });
        return await readReply(reply, url, bounds.maxBytes);
      } catch (error) {
        throw asFailure(error, url);
      }
    },
    async close() {
      await agent.destroy();
    },
  };
}

/** True for addresses of the public internet alone (the registries of RFC 6890): not this machine, not its network, not the metadata service of a cloud. */
export function isPublicAddress(address: string): boolean {
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return false;
  return canonical.includes(':') ? isGlobal(canonical) && !notGlobal(canonical) : !notGlobal(canonical);
}

type Reply = Awaited<ReturnType<typeof request>>;

async function readReply(reply: Reply, url: string, maxBytes: number): Promise<FetchedDocument> {
  const { statusCode: status, headers, body } = reply;
  try {
    if (status >= 300 && status < 400) throw new FetchFailed('redirect', `${url} answered with a redirect`);
    // None was asked for; unpacking one would need bounds of its own.
    if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
      throw new FetchFailed('encoding', `${url} answered with a content coding`);
    const text = await readBounded(body, url, maxBytes);
    return { status, contentType: first(headers['content-type']), cacheControl: first(headers['cache-control']), text };
  } finally {
    if (!body.readableEnded) body.on('error', ignore).destroy(); // it tells of its own destruction as an error
  }
}

async function readBounded(body: AsyncIterable<Uint8Array>, url: string, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw new FetchFailed('size', `${url} answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Names are judged when they are looked up; an address in the URL is never looked up, so it is judged here. */
function readTarget(url: string, allows: FetchBounds['allows']): URL {
  if (url.length > LONGEST_URL || !URL.canParse(url)) throw new FetchFailed('url', 'what should be fetched is no URL');
  const target = new URL(url);
  const host = target.hostname.startsWith('[') ? target.hostname.slice(1, -1) : target.hostname;
  if (target.username !== '' || target.password !== '') throw new FetchFailed('url', `${url} carries credentials`);
  if (target.hash !== '') throw new FetchFailed('url', `${url} has a fragment`);
  if (target.protocol !== 'https:' && !(target.protocol === 'http:' && isLoopback(host)))
    throw new FetchFailed('url', `${url} is not an https URL`);
  if (isIP(host) !== 0 && !allows(canonicalAddress(host) ?? host))
    throw new FetchFailed('address', `${host} may not be reached`);
  return target;
}

/** All addresses of a name must be allowed: one that is not shows what the name is meant for. */
function guardedLookup(allows: FetchBounds['allows']): LookupFunction {
  return function lookupAllowed(hostname, options, callback) {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [address] = addresses ?? [];
      if (error !== null || address === undefined) {
        callback(error ?? new FetchFailed('unreachable', `${hostname} has no address`), []);
        return;
      }
      const forbidden = addresses.find((found) => !allows(canonicalAddress(found.address) ?? found.address));
      if (forbidden !== undefined) callback(new FetchFailed('address', `${hostname} is ${forbidden.address}`), []);
      else if (options.all === true) callback(null, addresses);
      else callback(null, address.address, address.family);
    });
  };
}

function asFailure(error: unknown, url: string): FetchFailed {
  if (error instanceof FetchFailed) return error;
  const cause: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error));
  const { name, code, message } = cause;
  const late = name === 'TimeoutError' || code?.endsWith('_TIMEOUT') === true;
  return new FetchFailed(late ? 'timeout' : 'unreachable', `${url}: ${message === '' ? (code ?? name) : message}`);
}

function first(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

function ignore(): void {}

const LONGEST_URL = 2_048;

/** The one part of IPv6 that is routed on the internet, of which the blocks below are taken out again. */
const isGlobal = compileCidrs(['2000::/3']);

const notGlobal = compileCidrs([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16', // link-local: the metadata services of clouds
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3', // multicast, and what was never given out
  '2001::/23', // Teredo, ORCHID and other protocols' own
  '2001:db8::/32',
  '2002::/16', // 6to4 holds an IPv4 address, perhaps a private one
  '3fff::/20',
]);
