import type { CustomFetch } from 'openid-client';
import { Agent, fetch, Headers } from 'undici';

/**
 * A fetch that reaches the embedded authorization server on its private socket, whatever its public URL is: from in here
 * that name may lead nowhere, and its certificate may be one that this machine does not trust. It sends what the gateway's
 * data plane would send.
 */
export function ownFetch(socketPath: string): { readonly fetch: CustomFetch; close(): Promise<void> } {
  const dispatcher = new Agent({ connect: { socketPath }, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  return {
    async fetch(input, options) {
      const url = new URL(input);
      const headers = new Headers(options.headers);
      headers.set('X-Forwarded-Proto', url.protocol.slice(0, -1));
      headers.set('X-Forwarded-Host', url.host);
      headers.set('Host', url.host);
      url.protocol = 'http:';
      const reply = await fetch(url, {
        ...options,
        body: options.body ?? null,
        headers,
        dispatcher,
        redirect: 'manual',
      });
      // undici's Response is the standard one, in types of its own.
      return reply as unknown as Response;
    },
    close: () => dispatcher.close(),
  };
}

const TIMEOUT_MS = 10_000;
