import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { readBody } from '../request-body.ts';
import type { Places } from './places.ts';
import type { Visit } from './visit.ts';

export type ReadForm =
  | { readonly form: ReadonlyMap<string, string>; readonly refused?: undefined }
  /** `forged` is what no form of ours sent; the others are what no browser sends. */
  | { readonly form?: undefined; readonly refused: 'forged' | 'too-large' | 'malformed' };

export interface FormGuard {
  /** Stands in every form of ours: only the browser that got the form can send it, and only to the place it is for. */
  token(browser: string, scope: string): string;
  /** Reads a form and refuses what another site made the browser send. */
  read(visit: Visit, scope: string): Promise<ReadForm>;
}

export const TOKEN_FIELD = 'csrf';

/** Three locks, any of which would do with today's browsers: the token, the Lax cookie it is bound to, and what the browser says of where the form was. */
export function createFormGuard(secret: Uint8Array, places: Places): FormGuard {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'sallyport form tokens', 32));

  function token(browser: string, scope: string): string {
    return createHmac('sha256', key).update(`${browser}\n${scope}`).digest('base64url');
  }

  return {
    token,
    async read(visit, scope) {
      if (!visit.browserKnown || !isFromHere(visit.req, places.origin)) return { refused: 'forged' };
      const type = (visit.req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
      if (type !== 'application/x-www-form-urlencoded') return { refused: 'malformed' };
      const read = await readBody(visit.req);
      if ('refused' in read) return { refused: read.refused === 'too-large' ? 'too-large' : 'malformed' };
      const fields = new URLSearchParams(read.body.toString('utf8'));
      const form = new Map(fields);
      if (form.size !== fields.size) return { refused: 'malformed' };
      const presented = Buffer.from(form.get(TOKEN_FIELD) ?? '');
      const expected = Buffer.from(token(visit.browser, scope));
      const equal = presented.length === expected.length && timingSafeEqual(presented, expected);
      return equal ? { form } : { refused: 'forged' };
    },
  };
}

/** Every browser of today says where a form was, by one field or both. */
function isFromHere(req: IncomingMessage, origin: string): boolean {
  const site = req.headers['sec-fetch-site'];
  const from = req.headers.origin;
  if (site === undefined && from === undefined) return false;
  return (site === undefined || site === 'same-origin') && (from === undefined || from === origin);
}
