import { GATEWAY_COOKIE_PREFIX } from './session-cookie.ts';

/** The values of one cookie in the Cookie fields of a request (RFC 6265 §4.2), in their order. Names are case-sensitive. */
export function cookieValues(fields: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (const field of fields) {
    if (!field.includes(name)) continue;
    for (const pair of field.split(';')) {
      const { name: found, value } = readPair(pair);
      if (found === name) values.push(value);
    }
  }
  return values;
}

/** The names of the cookies of a request that begin with a prefix. */
export function cookieNames(fields: readonly string[], prefix: string): readonly string[] {
  return fields
    .flatMap((field) => field.split(';'))
    .map((pair) => readPair(pair).name)
    .filter((name) => name.startsWith(prefix));
}

/**
 * The Cookie field an upstream gets: everything but the gateway's own cookies, byte for byte; empty where nothing is left, and
 * undefined where there is nothing to take out. An upstream that got the cookie of a session could act as the user at every other one.
 */
export function withoutGatewayCookies(fields: readonly string[]): string | undefined {
  if (!fields.some((field) => field.includes(GATEWAY_COOKIE_PREFIX))) return undefined;
  return fields
    .flatMap((field) => field.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !readPair(pair).name.startsWith(GATEWAY_COOKIE_PREFIX))
    .join('; ');
}

function readPair(pair: string): { readonly name: string; readonly value: string } {
  const mark = pair.indexOf('=');
  if (mark < 0) return { name: pair.trim(), value: '' };
  return { name: pair.slice(0, mark).trim(), value: pair.slice(mark + 1).trim() };
}
