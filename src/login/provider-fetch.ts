import { lookup } from 'node:dns';
import { lookup as lookUp } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import type { CustomFetch, CustomFetchOptions } from 'openid-client';
import { Agent, fetch } from 'undici';
import { isPublicAddress } from '../identity/bounded-fetch.ts';

/** A fetch towards one provider; it holds connections until it is closed. */
export interface ProviderFetch {
  readonly fetch: CustomFetch;
  close(): Promise<void>;
}

/** Nobody answered, or not within the bounds below. */
export class NoAnswer extends Error {}

/**
 * Fetches what a provider says, in bounds: no redirects, at most 256 KiB, at most ten seconds. The issuer is the operator's word
 * and may be anywhere; the endpoints its metadata names are the provider's word, and where the issuer itself is on the public
 * internet they must not lead into this network (attack 44). Addresses are judged when the connection is made, so that a name
 * which answers differently the second time gains nothing.
 */
export function createProviderFetch(issuer: string, ca: string | undefined): ProviderFetch {
  const issuerHost = new URL(issuer).hostname;
  const tls = ca === undefined ? {} : { ca };
  const trusting = new Agent({ connect: { ...tls, timeout: TIME_MS } });
  const wary = new Agent({ connect: { ...tls, timeout: TIME_MS, lookup: publicLookup } });
  let issuerIsInside: Promise<boolean> | undefined;

  async function agentFor(host: string): Promise<Agent> {
    if (host === issuerHost) return trusting;
    issuerIsInside ??= leadsInside(issuerHost);
    if (await issuerIsInside) return trusting;
    // No lookup is made for a literal address.
    if (isInsideLiteral(host))
      throw new Error(`${host} is an address inside a network, which the provider ${issuer} is not`);
    return wary;
  }

  return {
    fetch: boundedFetch(async (url, options) => {
      const dispatcher = await agentFor(new URL(url).hostname);
      const reply = await fetch(url, { ...options, body: options.body ?? null, dispatcher });
      // undici's Response is the standard one, in types of its own.
      return reply as unknown as Response;
    }),
    async close() {
      await Promise.all([trusting.destroy(), wary.destroy()]);
    },
  };
}

/** Puts the bounds of size, time and redirects on any fetch. */
export function boundedFetch(inner: CustomFetch): CustomFetch {
  return async function fetchInBounds(url: string, options: CustomFetchOptions): Promise<Response> {
    const limit = AbortSignal.timeout(TIME_MS);
    const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]);
    try {
      return await readReply(await inner(url, { ...options, redirect: 'manual', signal }));
    } catch (error) {
      // A TypeError, as fetch throws where nobody answers, would be taken for a mistake of ours.
      throw new NoAnswer(`the provider gave no answer at ${new URL(url).origin}`, { cause: error });
    }
  };
}

async function readReply(reply: Response): Promise<Response> {
  if (reply.status < 200 || NO_BODY.has(reply.status)) {
    await reply.body?.cancel();
    return new Response(null, { status: reply.status < 200 ? 502 : reply.status, headers: [...reply.headers] });
  }
  const bytes = await readBounded(reply);
  return new Response(bytes, { status: reply.status, headers: [...reply.headers] });
}

async function readBounded(reply: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  if (reply.body !== null) {
    // Leaving the loop cancels the body.
    for await (const part of reply.body) {
      length += part.byteLength;
      if (length > MOST_BYTES) throw new Error(`the provider sent more than ${MOST_BYTES} bytes`);
      parts.push(part);
    }
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

/** As the system's, without answers inside a network. */
const publicLookup: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    if (addresses.length === 0 || addresses.some(({ address }) => isInside(address)))
      return callback(new Error(`${host} leads to an address inside a network`), []);
    const [first] = addresses;
    if (options.all === true) callback(null, addresses);
    else callback(null, first?.address ?? '', first?.family);
  });
};

async function leadsInside(host: string): Promise<boolean> {
  if (isInsideLiteral(host)) return true;
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return false;
  const addresses = await lookUp(host, { all: true }).catch(() => []);
  return addresses.some(({ address }) => isInside(address));
}

function isInsideLiteral(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return isIP(bare) !== 0 && isInside(bare);
}

function isInside(address: string): boolean {
  return !isPublicAddress(address);
}

const TIME_MS = 10_000;
const MOST_BYTES = 256 * 1024;
/** A Response with one of these must not have a body (WHATWG Fetch, "null body status"). */
const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
