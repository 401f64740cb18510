import type { CustomFetch } from 'openid-client';
import { createBoundedFetch, isPublicAddress } from '../../identity/bounded-fetch.ts';

export interface UpstreamFetch {
  readonly fetch: CustomFetch;
  close(): Promise<void>;
}

/**
 * Reaches one provider in bounds of size and time and without redirects. The issuer is the operator's word and may be anywhere.
 * The endpoints its metadata names are the provider's word: where the issuer is on the public internet they must be too (attack 44).
 */
export function createUpstreamFetch(issuer: string, ca: string | undefined): UpstreamFetch {
  const host = new URL(issuer).host;
  let inside = false;
  const bounds = { maxBytes: 256 * 1024, timeoutMs: 5_000, ca };
  const toIssuer = createBoundedFetch({
    ...bounds,
    allows(address) {
      // Discovery comes first, so this is known before any other host is asked.
      if (!isPublicAddress(address)) inside = true;
      return true;
    },
  });
  const elsewhere = createBoundedFetch({ ...bounds, allows: (address) => inside || isPublicAddress(address) });

  return {
    async fetch(url, options) {
      const bounded = new URL(url).host === host ? toIssuer : elsewhere;
      const body = options.body === undefined || options.body === null ? {} : { body: String(options.body) };
      const reply = await bounded.fetch(url, { ...body, headers: options.headers });
      const empty = reply.status === 204 || reply.status === 205 || reply.status === 304;
      return new Response(empty ? null : reply.text, {
        status: reply.status,
        headers: reply.contentType === undefined ? {} : { 'content-type': reply.contentType },
      });
    },
    async close() {
      await Promise.all([toIssuer.close(), elsewhere.close()]);
    },
  };
}
