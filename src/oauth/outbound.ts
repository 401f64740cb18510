import { LRUCache } from 'lru-cache';
import { createBoundedFetch, FetchFailed, isPublicAddress } from '../identity/bounded-fetch.ts';
import { compileCidrs } from '../lib/cidr.ts';
import type { AuthorizationServerOptions } from './options.ts';

/** How the authorization server reaches servers that clients name. */
export interface Outbound {
  /** For oidc-provider, which asks in the terms of the Fetch standard. Rejects with FetchFailed; clients are told that it failed, never why. */
  fetch(url: string | URL | Request, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

/** Fetches on behalf of clients: https to public addresses, bounded, no redirects (attack 44). */
export function createOutbound(
  options: Pick<AuthorizationServerOptions, 'privateNetworks' | 'certificateAuthorities'>,
): Outbound {
  const isAllowedPrivate = compileCidrs(options.privateNetworks ?? []);
  const bounded = createBoundedFetch({
    maxBytes: 64 * 1024,
    timeoutMs: 2500,
    allows: (address) => isPublicAddress(address) || isAllowedPrivate(address),
    ca: options.certificateAuthorities,
    connections: 4,
  });
  // oidc-provider asks again for the page that tells of the failure; others may go on asking.
  const failed = new LRUCache<string, true>({ max: 1000, ttl: 5000 });
  return {
    async fetch(url, init) {
      const address = url instanceof Request ? url.url : String(url);
      const isDocument = init?.method === 'GET';
      if (isDocument && failed.has(address)) throw new FetchFailed('unreachable', `${address} failed a moment ago`);
      const headers = Object.fromEntries(new Headers(init?.headers));
      const body = init?.body === undefined || init.body === null ? {} : { body: bodyText(init.body) };
      const reply = await bounded.fetch(address, { ...body, headers }).catch((error: unknown) => {
        if (isDocument) failed.set(address, true);
        throw error;
      });
      const fields = new Headers({ 'content-type': reply.contentType ?? 'application/octet-stream' });
      if (reply.cacheControl !== undefined) fields.set('cache-control', reply.cacheControl);
      const empty = reply.status === 204 || reply.status === 205 || reply.status === 304;
      return new Response(empty ? null : reply.text, { status: reply.status, headers: fields });
    },
    close: () => bounded.close(),
  };
}

/** oidc-provider sends forms and JSON, nothing else. */
function bodyText(body: NonNullable<RequestInit['body']>): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('only text and forms are sent to servers of clients');
}
