import { z } from 'zod';
import { isHopByHop, isToken } from '../../lib/http-fields.ts';
import { fieldNameOption } from '../field-options.ts';

/** A field name, or its beginning and `*`. */
const fieldPattern = z
  .string()
  .meta({ examples: ['X-Debug*', 'X-Exception'] })
  .transform((text, context) => {
    const name = text.endsWith('*') ? text.slice(0, -1) : text;
    if (isToken(name) && !name.includes('*')) return text.toLowerCase();
    const hint = 'write a field name such as X-Exception, or the beginning of several and one *, such as X-Debug*';
    context.issues.push({ code: 'custom', message: 'is not a header field name', input: text, params: { hint } });
    return z.NEVER;
  });

/** A field that still tells the truth when the body beneath it is another. */
const keptField = fieldNameOption().superRefine((name, context) => {
  if (!isHopByHop(name) && !name.startsWith('content-') && !DESCRIBES_BODY.has(name)) return;
  const message = 'describes the body that was taken out';
  context.addIssue({ code: 'custom', message, params: { hint: 'leave it out' } });
});

const DESCRIBES_BODY: ReadonlySet<string> = new Set([
  'accept-ranges',
  'age',
  'cache-control',
  'digest',
  'etag',
  'expires',
  'last-modified',
  'repr-digest',
  'signature',
  'signature-input',
]);

export const errorMaskingConfig = z
  .strictObject({
    passStatuses: z
      .array(z.int().min(500).max(599))
      .default([])
      .describe('Statuses whose replies clients get as the upstream wrote them.'),
    keepHeaders: z
      .array(keptField)
      .prefault(['Retry-After'])
      .describe('Header fields of the upstream that a masked reply keeps; all others are dropped.'),
    hideHeaders: z
      .array(fieldPattern)
      .prefault(['X-Debug*', 'X-Error*', 'X-Exception*', 'X-Stacktrace*', 'X-Stack-Trace*'])
      .describe(
        'Header fields of the upstream no client sees, whatever the status; a * at the end stands for any rest.',
      ),
  })
  .describe('Replaces what an upstream says when it fails (5xx) by a generic problem; the log keeps the facts.');

export type ErrorMaskingConfig = z.output<typeof errorMaskingConfig>;
