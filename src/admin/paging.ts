import { z } from 'zod';
import type { Page } from '../stores/page.ts';
import { type AdminReply, replyJson } from './admin-reply.ts';

/** The parameters of every listing. */
export const pageFields = {
  limit: z
    .string()
    .optional()
    .transform((text, context) => {
      if (text === undefined) return DEFAULT_LIMIT;
      const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
      if (limit >= 1 && limit <= MAX_LIMIT) return limit;
      context.issues.push({
        code: 'custom',
        message: 'is no number of entries',
        input: text,
        params: { hint: `write a whole number from 1 to ${MAX_LIMIT}` },
      });
      return z.NEVER;
    }),
  after: z
    .string()
    .optional()
    .transform((text, context) => {
      if (text === undefined) return undefined;
      const cursor = openCursor(text);
      if (cursor !== undefined) return cursor;
      context.issues.push({
        code: 'custom',
        message: 'is no cursor of this listing',
        input: text,
        params: { hint: 'take `next` of the part before, or leave it out' },
      });
      return z.NEVER;
    }),
};

/** A part of a listing, with the way to the part that follows in the body and as a Link (RFC 8288). */
export function replyPage<Row>(
  page: Page<Row>,
  show: (row: Row) => object,
  query: Readonly<Record<string, unknown>>,
): AdminReply {
  const next = page.next === undefined ? null : closeCursor(page.next);
  const body = { items: page.items.map(show), next };
  if (next === null) return replyJson(200, body);
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && name !== 'after') parameters.set(name, String(value));
  parameters.set('after', next);
  // Relative to the request: whatever road it came by, the link leads back along it.
  return replyJson(200, body, { Link: `<?${parameters}>; rel="next"` });
}

function closeCursor(cursor: string): string {
  return Buffer.from(`${CURSOR_MARK}${cursor}`).toString('base64url');
}

function openCursor(text: string): string | undefined {
  if (text.length > 1024) return undefined;
  const opened = Buffer.from(text, 'base64url').toString();
  return opened.startsWith(CURSOR_MARK) ? opened.slice(CURSOR_MARK.length) : undefined;
}

const CURSOR_MARK = 'after:';

const DEFAULT_LIMIT = 50;

const MAX_LIMIT = 200;
