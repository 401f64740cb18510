import type { HeaderList } from '../../lib/header-list.ts';
import { removeFields } from '../remove-fields.ts';
import type { CorsConfig } from './config.ts';
import { ANY_ORIGIN } from './origin.ts';

/** The answers of one configuration, ready to be written. */
export interface CorsRules {
  /** The value of Access-Control-Allow-Origin for a request's Origin fields; undefined where it gets none. */
  readonly allowedOrigin: (written: readonly string[]) => string | undefined;
  /** What the answer to a plain request depends on; undefined where it is the same for everyone. */
  readonly varies: string | undefined;
  /** What every allowed reply says besides its origin, as a flat name-value list. */
  readonly replyFields: readonly string[];
  /** What an allowed answer to a preflight says besides its origin. */
  readonly preflightFields: readonly string[];
}

export function corsRules(config: CorsConfig): CorsRules {
  const credentials = config.credentials ? ['Access-Control-Allow-Credentials', 'true'] : [];
  const everyone = config.origins.includes(ANY_ORIGIN);
  return {
    allowedOrigin: everyone ? () => ANY_ORIGIN : oneOf(config.origins),
    varies: everyone ? undefined : 'Origin',
    replyFields: [...credentials, ...listField('Access-Control-Expose-Headers', config.exposeHeaders)],
    preflightFields: [
      ...credentials,
      ...listField('Access-Control-Allow-Methods', config.methods),
      ...listField('Access-Control-Allow-Headers', config.headers),
      'Access-Control-Max-Age',
      String(Math.floor(config.maxAge / 1000)),
    ],
  };
}

/** Whether a request is a CORS preflight (Fetch, "CORS-preflight request"). */
export function isPreflight(method: string, headers: HeaderList): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}

/** Writes the CORS fields of a reply. The upstream's own go: two opinions on who may read a reply are one too many. */
export function writeCorsFields(
  rules: CorsRules,
  request: { readonly headers: HeaderList; readonly preflight: boolean },
  reply: HeaderList,
): void {
  removeFields(reply, isCorsField);
  if (rules.varies !== undefined) addVary(reply, rules.varies);
  if (request.preflight) addVary(reply, 'Access-Control-Request-Method');
  const origin = rules.allowedOrigin(request.headers.all('origin'));
  if (origin === undefined) return;
  reply.append('Access-Control-Allow-Origin', origin);
  reply.raw.push(...(request.preflight ? rules.preflightFields : rules.replyFields));
}

/** Origins are compared whole and byte for byte: browsers write each in one way only, and look-alikes never match (attack 52). */
function oneOf(origins: readonly string[]): CorsRules['allowedOrigin'] {
  const known = new Set(origins);
  return function allowedOrigin(written) {
    const [origin] = written;
    return written.length === 1 && origin !== undefined && known.has(origin) ? origin : undefined;
  };
}

function listField(name: string, values: readonly string[]): readonly string[] {
  return values.length === 0 ? [] : [name, values.join(', ')];
}

function isCorsField(name: string): boolean {
  return name.length > CORS_PREFIX.length && name.slice(0, CORS_PREFIX.length).toLowerCase() === CORS_PREFIX;
}

const CORS_PREFIX = 'access-control-';

/** Adds a field name to Vary once; `*` already says that everything counts (RFC 9110 §12.5.5). */
function addVary(reply: HeaderList, name: string): void {
  const values = reply.all('vary');
  if (values.length === 0) {
    reply.append('Vary', name);
    return;
  }
  const named = values.flatMap((value) => value.split(',')).map((part) => part.trim().toLowerCase());
  if (named.includes('*') || named.includes(name.toLowerCase())) return;
  reply.set('Vary', [...values.filter((value) => value.trim() !== ''), name].join(', '));
}
