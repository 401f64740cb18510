import { Agent, fetch as undiciFetch } from 'undici';

/**
 * A fetch that reaches the embedded authorization server on its private socket, whatever its public URL is: from in here
 * that name may lead nowhere, and its certificate may be one that this machine does not trust. It sends what the gateway's
 * data plane would send.
 */
export function ownFetch(socketPath: string): { readonly fetch: typeof fetch; close(): Promise<void> } {
  const dispatcher = new Agent({ connect: { socketPath }, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  async function fetchFromOwnServer(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init.headers);
    headers.set('X-Forwarded-Proto', url.protocol.slice(0, -1));
    headers.set('X-Forwarded-Host', url.host);
    url.protocol = 'http:';
    headers.set('Host', headers.get('X-Forwarded-Host') ?? url.host);
    // The global fetch is undici's own, of another version: their types differ in name only.
    return (await undiciFetch(url, {
      ...(init as object),
      headers: [...headers],
      dispatcher,
      redirect: 'manual',
    })) as unknown as Response;
  }
  return { fetch: fetchFromOwnServer, close: () => dispatcher.close() };
}

const TIMEOUT_MS = 10_000;
