import { z } from 'zod';
import { durationOption } from '../../lib/duration.ts';
import { fieldNameOption, methodOption } from '../field-options.ts';
import { ANY_ORIGIN, readOrigin } from './origin.ts';

const DAY = 86_400_000;

const origin = z
  .string()
  .meta({ examples: ['https://app.example.com', 'http://localhost:5173'] })
  .transform((text, context) => {
    const outcome = readOrigin(text);
    if ('origin' in outcome) return outcome.origin;
    context.issues.push({ code: 'custom', message: outcome.message, input: text, params: { hint: outcome.hint } });
    return z.NEVER;
  });

const method = methodOption().superRefine((name, context) => {
  if (!FORBIDDEN_METHODS.has(name)) return;
  const hint = 'leave it out: browsers never send it for a script';
  context.addIssue({ code: 'custom', message: 'cannot be allowed', params: { hint } });
});

/** The methods no script may use (Fetch, "forbidden method"). */
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK']);

export const corsConfig = z
  .strictObject({
    origins: z
      .array(origin)
      .min(1)
      .describe('Origins whose scripts may read replies, compared whole; `*` alone means every origin.'),
    credentials: z
      .boolean()
      .default(false)
      .describe('Whether scripts may send cookies and the like, and read what comes back; not together with `*`.'),
    methods: z
      .array(method)
      .prefault(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .describe('Methods scripts may use; browsers always allow GET, HEAD and POST.'),
    headers: z
      .array(fieldNameOption())
      .prefault(['Authorization', 'Content-Type'])
      .describe('Request header fields scripts may set, beyond those browsers always allow.'),
    exposeHeaders: z
      .array(fieldNameOption())
      .prefault([])
      .describe('Reply header fields scripts may read, beyond those browsers always show.'),
    maxAge: durationOption({ min: 0, max: DAY })
      .prefault('10m')
      .describe(
        'How long a browser may remember the answer to a preflight, in whole seconds; browsers cut it to 2h or 24h.',
      ),
  })
  .superRefine((config, context) => {
    if (!config.origins.includes(ANY_ORIGIN)) return;
    if (config.credentials) {
      const hint = 'list the origins that may use credentials, or leave `credentials` out';
      const message = 'cannot be true where `origins` is *: every site could act as the signed-in user';
      context.addIssue({ code: 'custom', path: ['credentials'], input: true, message, params: { hint } });
    }
    if (config.origins.length > 1) {
      const hint = 'write * alone, or leave it out and list the origins';
      const message = 'names * beside other entries';
      context.addIssue({ code: 'custom', path: ['origins'], input: 'this list', message, params: { hint } });
    }
  })
  .describe('Which other origins may use this API from their scripts (CORS); left out, none.');

export type CorsConfig = z.output<typeof corsConfig>;
