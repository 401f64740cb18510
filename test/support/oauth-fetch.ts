import { Agent, fetch } from 'undici';
import type { PemPair } from './certificate-authority.ts';

/** The fetch of one client: its own connections, and the roots it trusts instead of the system's. */
export interface TlsFetch {
  fetch(url: string | URL, options?: FetchOptions): Promise<Response>;
  close(): Promise<void>;
}

/** What the libraries under test, and tests themselves, send. */
export interface FetchOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>> | Headers;
  readonly body?: string | URLSearchParams | Uint8Array | ArrayBuffer | ReadableStream | null | undefined;
  readonly redirect?: 'manual' | 'follow' | 'error';
  readonly signal?: AbortSignal | null | undefined;
}

export function openTlsFetch(options: {
  readonly ca: readonly string[];
  /** Shown to whoever asks for one. */
  readonly certificate?: PemPair | undefined;
  /** The local address to connect from. */
  readonly address?: string | undefined;
}): TlsFetch {
  const { ca, certificate, address } = options;
  const dispatcher = new Agent({
    connect: {
      ca: [...ca],
      ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
    },
    ...(address === undefined ? {} : { localAddress: address }),
  });
  return {
    async fetch(url, { headers, body = null, signal = null, ...rest } = {}) {
      const fields = Object.fromEntries(new Headers(headers));
      const reply = await fetch(url, { ...rest, signal, body, headers: fields, dispatcher });
      // undici's Response is the standard one, in types of its own.
      return reply as unknown as Response;
    },
    close: () => dispatcher.destroy(),
  };
}
