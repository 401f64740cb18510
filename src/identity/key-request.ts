import { z } from 'zod';
import { isKeyEnvironment } from '../lib/api-key.ts';
import { durationOption } from '../lib/duration.ts';
import type { Json, JsonObject } from '../lib/json.ts';
import { parseCidr } from '../lib/network-address.ts';
import { suggest } from '../lib/suggest.ts';

/** What is wrong with a request, where, and what would be right. It never repeats a value: one might be a secret in the wrong place. */
export interface KeyFault {
  /** Such as `scopes[0]`; empty for the request as a whole. */
  readonly path: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/** What a request is judged by. */
export interface KeyRules {
  /** Milliseconds since the epoch; left out, the present. */
  readonly now?: number | undefined;
  /** The APIs of the configuration; left out, any name will do. */
  readonly apis?: ReadonlySet<string> | undefined;
}

/** Reads a request of any origin with a schema of this file: all faults at once, or the parsed request. */
export function readRequest<Request>(
  schema: z.ZodType<Request>,
  input: unknown,
  rules: KeyRules,
): { readonly request: Request; readonly faults?: undefined } | { readonly faults: readonly KeyFault[] } {
  const parsed = schema.safeParse(input);
  if (!parsed.success) return { faults: parsed.error.issues.flatMap(faultsOf) };
  const faults = ruleFaults(Object(parsed.data), rules); // a parsed request is an object
  return faults.length > 0 ? { faults } : { request: parsed.data };
}

/** The end of a key's life as a request says it; undefined for a key without one. */
export function endOfLife(request: Lifetime, now: number): number | undefined {
  return request.expiresAt ?? (request.expiresIn === undefined ? undefined : now + request.expiresIn);
}

interface Lifetime {
  readonly expiresAt?: number | undefined;
  readonly expiresIn?: number | undefined;
}

const YEAR = 365 * 86_400_000;

/** What holds of a key whatever it is made for. The bounds keep what workers hold of a key small. */
const rights = {
  name: text((value) => /^[^\p{Cc}\p{Cf}]{1,128}$/u.test(value) && value.trim() === value, {
    message: 'is no name for a key',
    hint: 'write 1 to 128 characters on one line, without spaces at either end',
  }),
  scopes: z
    .array(
      // RFC 6749 §3.3, scope-token.
      text((value) => /^[!#-[\]-~]{1,128}$/.test(value), {
        message: 'is not a scope',
        hint: 'write 1 to 128 printable ASCII characters without spaces, " and \\',
      }),
    )
    .max(64),
  apis: z
    .array(
      text((value) => /^[a-z0-9][a-z0-9-]{0,63}$/.test(value), {
        message: 'is not the name of an API',
        hint: 'write a `name` of `apis` in the configuration, such as widgets',
      }),
    )
    // Not empty: a list whose last entry was taken out must not open every API.
    .min(1)
    .max(256),
  cidrs: z
    .array(
      z.string().transform((value, context) => {
        const block = value.length <= 64 ? parseCidr(value) : undefined;
        const exact = parseCidr(value.replace(/\/.*$/, ''));
        if (block !== undefined && block.network === exact?.network) return block.text;
        const [message, hint] =
          block === undefined
            ? ['is not a block of addresses', 'write such as 203.0.113.0/24, 2001:db8::/48 or 192.0.2.7']
            : ['has bits set beyond its prefix', `write ${block.text}`];
        context.issues.push({ code: 'custom', message, input: value, params: { hint } });
        return z.NEVER;
      }),
    )
    .min(1)
    .max(64),
  metadata: z.custom<JsonObject>(isMetadata, {
    message: 'is no small JSON object',
    params: { hint: 'write an object of at most 8192 characters of JSON that is at most 8 levels deep' },
  }),
  expiresAt: z.string().transform((value, context) => {
    const at = TIME.test(value) ? Date.parse(value) : Number.NaN;
    if (!Number.isNaN(at)) return at;
    const hint = 'write a time to come with its zone, such as 2031-01-31T12:00:00Z';
    context.issues.push({ code: 'custom', message: 'is not a time', input: value, params: { hint } });
    return z.NEVER;
  }),
  expiresIn: durationOption({ min: 1_000, max: 10 * YEAR }),
};

const optionalRights = {
  apis: rights.apis.optional(),
  cidrs: rights.cidrs.optional(),
  expiresAt: rights.expiresAt.optional(),
  expiresIn: rights.expiresIn.optional(),
};

/** A key somebody asks for. */
export const keyRequestSchema = z.strictObject({
  consumerId: z.string().min(1).max(128),
  name: rights.name,
  environment: text(isKeyEnvironment, {
    message: 'is no environment of a key',
    hint: 'write 1 to 12 of a-z and 0-9, such as live or test',
  }).default('live'),
  scopes: rights.scopes.default([]),
  metadata: rights.metadata.default({}),
  ...optionalRights,
});

export type KeyRequest = z.input<typeof keyRequestSchema>;
export type ReadKeyRequest = z.output<typeof keyRequestSchema>;

/** What a key that takes another's place has different from it. */
export const rotationSchema = z.strictObject({
  overlap: durationOption({ min: 0, max: 90 * 86_400_000 }).prefault('1d'),
  name: rights.name.optional(),
  scopes: rights.scopes.optional(),
  metadata: rights.metadata.optional(),
  ...optionalRights,
});

export type RotationRequest = z.input<typeof rotationSchema>;

function text(isRight: (value: string) => boolean, fault: { readonly message: string; readonly hint: string }) {
  return z.string().superRefine((value, context) => {
    if (!isRight(value))
      context.addIssue({ code: 'custom', message: fault.message, input: value, params: { hint: fault.hint } });
  });
}

/** Depth first and bounded, before anything that recurses without a bound gets to see it. */
function isMetadata(value: unknown): boolean {
  return isPlainObject(value) && isJson(value, 8) && JSON.stringify(value).length <= 8_192;
}

function isJson(value: unknown, levels: number): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (levels === 0 || !(Array.isArray(value) || isPlainObject(value))) return false;
  return Object.values(value).every((inner) => isJson(inner, levels - 1));
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function ruleFaults(request: Lifetime & { readonly apis?: readonly string[] }, rules: KeyRules): KeyFault[] {
  const faults: KeyFault[] = [];
  if (request.expiresAt !== undefined && request.expiresIn !== undefined)
    faults.push({ path: 'expiresIn', message: 'stands beside expiresAt', hint: 'give one of the two' });
  if (request.expiresAt !== undefined && request.expiresAt <= (rules.now ?? Date.now()))
    faults.push({ path: 'expiresAt', message: 'is past', hint: 'write a time to come' });
  for (const [index, api] of (request.apis ?? []).entries()) {
    if (rules.apis === undefined || rules.apis.has(api)) continue;
    const near = suggest(api, rules.apis);
    const hint = near === undefined ? 'write a `name` of `apis` in the configuration' : `write ${near}`;
    faults.push({ path: `apis[${index}]`, message: 'is no API of the configuration', hint });
  }
  return faults;
}

function faultsOf(issue: z.core.$ZodIssue): KeyFault[] {
  const path = pathOf(issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return [{ path, message: `has ${issue.keys.length} unknown field(s)`, hint: 'leave them out' }];
    case 'invalid_type':
      return [{ path, message: `is missing or no ${issue.expected}`, hint: undefined }];
    case 'too_small':
      return [{ path, message: 'is too short', hint: `at least ${issue.minimum}` }];
    case 'too_big':
      return [{ path, message: 'is too long', hint: `at most ${issue.maximum}` }];
    case 'custom': {
      const hint = issue.params?.['hint'];
      return [{ path, message: issue.message, hint: typeof hint === 'string' ? hint : undefined }];
    }
    default:
      return [{ path, message: issue.message, hint: undefined }];
  }
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (whole, step) =>
      typeof step === 'number' ? `${whole}[${step}]` : `${whole}${whole === '' ? '' : '.'}${String(step)}`,
    '',
  );
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
