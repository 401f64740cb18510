import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Screen } from '../interaction-contract.ts';
import { cookieNames, readCookies, writeCookie } from './cookies.ts';
import type { Places } from './places.ts';

/** One request for a page of ours, and its answer in the making. */
export interface Visit {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly address: string;
  readonly requestId: string | undefined;
  readonly cookies: ReadonlyMap<string, string>;
  /** Random, in a cookie of its own: what a form says belongs to the browser that got the form. */
  readonly browser: string;
  /** Whether the cookie was there already. */
  readonly browserKnown: boolean;
}

export function openVisit(
  request: { readonly req: IncomingMessage; readonly res: ServerResponse; readonly address: string },
  places: Places,
): Visit {
  const { req, res, address } = request;
  const [path = '/', query = ''] = (req.url ?? '/').split(/\?(.*)/s, 2);
  const cookies = readCookies(req.headers.cookie);
  const held = cookies.get(cookieNames(places).browser);
  const browserKnown = held !== undefined && /^[\w-]{22}$/.test(held);
  const browser = browserKnown ? held : randomBytes(16).toString('base64url');
  if (!browserKnown)
    writeCookie(res, { name: cookieNames(places).browser, value: browser, path: '/', secure: places.secure });
  const requestId = req.headers['x-request-id'];
  return {
    req,
    res,
    path,
    query: new URLSearchParams(query),
    address,
    requestId: typeof requestId === 'string' ? requestId : undefined,
    cookies,
    browser,
    browserKnown,
  };
}

export function showScreen(
  { res }: Visit,
  screen: Screen,
  answer: { readonly status?: number; readonly retryAfterSeconds?: number | undefined } = {},
): void {
  const retry = answer.retryAfterSeconds;
  res.writeHead(answer.status ?? 200, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...screen.headers,
    ...(retry === undefined ? {} : { 'retry-after': String(retry) }),
  });
  res.end(screen.html);
}

/** After a form, so that going back or loading anew sends nothing twice. */
export function redirectTo({ res }: Visit, location: string): void {
  res.writeHead(303, { location, 'cache-control': 'no-store', 'content-length': '0' });
  res.end();
}
