import type { IncomingMessage } from 'node:http';
import { canonicalAuthority } from '../lib/canonical-authority.ts';
import { HeaderList } from '../lib/header-list.ts';
import { isLoopback } from '../lib/network-address.ts';

/** A request as this app sees it. The road in front of it has checked its framing and written who asks, and for which host. */
export interface AppRequest {
  readonly method: string;
  readonly path: string;
  /** With its question mark; empty where there is none. */
  readonly search: string;
  readonly headers: HeaderList;
  /** The scheme and authority the browser sees, such as `https://app.example.com`. */
  readonly origin: string;
  /** The login whose place this is, by the word of the route; undefined where the road says none. */
  readonly login: string | undefined;
  /** Whether browsers keep Secure cookies for this origin. */
  readonly secure: boolean;
  readonly address: string | undefined;
  readonly id: string | undefined;
  /** The body as a form, at most 64 KiB; undefined where it is no form or longer. */
  readForm(): Promise<URLSearchParams | undefined>;
}

/** Undefined where the request names no host one can answer for. */
export function readAppRequest(request: IncomingMessage): AppRequest | undefined {
  const headers = new HeaderList(request.rawHeaders);
  const scheme = headers.get('x-forwarded-proto') === 'https' ? 'https' : 'http';
  const authority = canonicalAuthority(headers.get('x-forwarded-host') ?? headers.get('host') ?? '', scheme);
  const target = request.url ?? '/';
  if (authority === undefined || !target.startsWith('/')) return undefined;
  const mark = target.indexOf('?');
  const bare = authority.host.replace(/^\[|\]$/g, '');
  return {
    method: request.method ?? 'GET',
    path: mark < 0 ? target : target.slice(0, mark),
    search: mark < 0 ? '' : target.slice(mark),
    headers,
    origin: `${scheme}://${authority.authority}`,
    login: headers.get('x-sallyport-login'),
    secure: scheme === 'https' || isLoopback(bare) || bare.endsWith('.localhost'),
    address: headers.get('x-forwarded-for')?.split(',')[0]?.trim(),
    id: headers.get('x-request-id'),
    readForm: () => readForm(request, headers),
  };
}

async function readForm(request: IncomingMessage, headers: HeaderList): Promise<URLSearchParams | undefined> {
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') return undefined;
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request) {
    if (!(part instanceof Buffer)) return undefined;
    length += part.length;
    if (length > MOST_BYTES) return undefined;
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'));
}

const MOST_BYTES = 64 * 1024;
