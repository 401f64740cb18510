import type { IncomingMessage } from 'node:http';

/** Who the access token of a request speaks of. */
export interface Caller {
  readonly subject: string;
  readonly scopes: readonly string[];
}

/**
 * Reads the JWT that the gateway attached. Its signature is not looked at: the gateway has made sure of the caller, and nothing
 * else reaches this port. An API that others can reach too must verify it, by the keys at the issuer's `jwks_uri`.
 */
export function readCaller(request: IncomingMessage): Caller | undefined {
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) return undefined;
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const { sub, scope }: { readonly sub?: unknown; readonly scope?: unknown } = Object(payload);
    if (typeof sub !== 'string') return undefined;
    return { subject: sub, scopes: typeof scope === 'string' ? scope.split(' ') : [] };
  } catch {
    return undefined;
  }
}

/** The header fields as they arrived, with credentials told by their kind and length only. */
export function shownHeaders(request: IncomingMessage): readonly { readonly name: string; readonly value: string }[] {
  const { rawHeaders } = request;
  const shown: { readonly name: string; readonly value: string }[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    shown.push({ name, value: SECRET.test(name) ? `${value.split(/[ =]/)[0]} … (${value.length} characters)` : value });
  }
  return shown;
}

const SECRET = /authorization|cookie|token|secret|key|identity/i;
