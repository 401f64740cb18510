import { Problem } from '../errors/problem.ts';
import { isToken } from '../lib/http-fields.ts';
import { isReservedHeader } from '../lib/reserved-headers.ts';
import { bySpelling } from '../lib/spellings.ts';

/** What one pass over the fields of a request found. The fields of the connection itself are kept: the road judges them. */
export class RequestFields {
  /** What may be passed on. It is the list given where nothing had to be dropped. */
  kept: string[];
  host: string | undefined = undefined;
  contentLength: string | undefined = undefined;
  transferEncoding: string | undefined = undefined;
  expect: string | undefined = undefined;
  /** Only a trusted proxy's word; several fields of one name are joined by commas. */
  forwarded: string | undefined = undefined;
  forwardedFor: string | undefined = undefined;
  forwardedProto: string | undefined = undefined;
  requestId: string | undefined = undefined;
  /** What the client asks of its connection; several fields are joined by commas. Like all that is not DROPPED, they are kept too. */
  connection: string | undefined = undefined;
  upgrade: string | undefined = undefined;
  cookies = 0;
  /** Fields that must be single have been seen, as bits. */
  seen = 0;

  constructor(raw: string[]) {
    this.kept = raw;
  }
}

/**
 * Reads `raw`, a flat list of names and values, from index `start` on: refuses what two readers could read in two ways,
 * and drops what clients have no say in. It is the only place where a client's fields are looked at one by one.
 */
export function readRequestFields(raw: string[], start: number, headerCount: number): RequestFields | Problem {
  if (raw.length - start > headerCount * 2) return TOO_MANY;
  const fields = new RequestFields(raw);
  // While nothing is dropped the list itself is kept.
  let kept: string[] | undefined = start === 0 ? undefined : [];
  for (let at = start; at < raw.length; at += 2) {
    const name = raw[at] as string; // at < length
    const value = raw[at + 1] as string; // the list has pairs
    if (UNSAFE_VALUE.test(value)) return BAD_VALUE;
    const kind = kindOf(name);
    if (kind !== PLAIN) {
      if (kind === NO_NAME) return BAD_NAME;
      const problem = note(fields, kind, value);
      if (problem !== undefined) return problem;
      if (kind >= DROPPED) {
        kept ??= raw.slice(0, at);
        continue;
      }
    }
    if (kept !== undefined) kept.push(name, value);
  }
  if (kept !== undefined) fields.kept = kept;
  return fields;
}

/** The fields of a trailer section that may be passed on, or undefined for none: the same drops, and nothing that frames, routes or authenticates. */
export function readTrailerFields(raw: readonly string[]): readonly string[] | undefined {
  let kept: string[] | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string; // at < length
    const value = raw[at + 1] as string; // the list has pairs
    if (kindOf(name) !== PLAIN || UNSAFE_VALUE.test(value)) continue;
    kept ??= [];
    kept.push(name, value);
  }
  return kept;
}

function note(fields: RequestFields, kind: number, value: string): Problem | undefined {
  if (kind <= LAST_SINGLE) {
    const bit = 1 << kind;
    if ((fields.seen & bit) !== 0) return kind === HOST ? SECOND_HOST : DUPLICATE;
    fields.seen |= bit;
  }
  switch (kind) {
    case HOST:
      fields.host = value;
      break;
    case CONTENT_LENGTH:
      fields.contentLength = value;
      break;
    case TRANSFER_ENCODING:
      fields.transferEncoding = value;
      break;
    case EXPECT:
      fields.expect = value;
      break;
    case CONNECTION:
      fields.connection = joined(fields.connection, value);
      break;
    case UPGRADE:
      fields.upgrade = joined(fields.upgrade, value);
      break;
    case COOKIE:
      fields.cookies += 1;
      break;
    case FORWARDED:
      fields.forwarded = joined(fields.forwarded, value);
      break;
    case FORWARDED_FOR:
      fields.forwardedFor = joined(fields.forwardedFor, value);
      break;
    case FORWARDED_PROTO:
      fields.forwardedProto = joined(fields.forwardedProto, value);
      break;
    case REQUEST_ID:
      fields.requestId = value;
      break;
  }
  return undefined;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

// Kinds of fields. Those up to LAST_SINGLE may stand once in a request, those from DROPPED on are not passed on.
const PLAIN = 0;
const HOST = 1;
const AUTHORIZATION = 2;
const CONTENT_LENGTH = 3;
const CONTENT_TYPE = 4;
const TRANSFER_ENCODING = 5;
const EXPECT = 6;
const LAST_SINGLE = 6;
const COOKIE = 7;
const CONNECTION = 8;
const UPGRADE = 9;
const DROPPED = 10;
const FORWARDED = 11;
const FORWARDED_FOR = 12;
const FORWARDED_PROTO = 13;
const REQUEST_ID = 14;
/** No token (RFC 9110 §5.6.2): two readers could make two names of it. */
const NO_NAME = 15;

const KINDS: ReadonlyMap<string, number> = new Map([
  ['host', HOST],
  ['authorization', AUTHORIZATION],
  ['content-length', CONTENT_LENGTH],
  ['content-type', CONTENT_TYPE],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['expect', EXPECT],
  ['cookie', COOKIE],
  ['connection', CONNECTION],
  ['upgrade', UPGRADE],
  ['forwarded', FORWARDED],
  ['x-forwarded-for', FORWARDED_FOR],
  ['x-forwarded-proto', FORWARDED_PROTO],
  ['x-request-id', REQUEST_ID],
]);

/** The kind of a name in any case. */
const kindOf = bySpelling((name: string): number => {
  // CGI, WSGI and PHP read `X_User` and `X.User` as `X-User`: no name that has an alias passes (attack 12, CVE-2025-64484).
  if (!SAFE_NAME.test(name)) return isToken(name) ? DROPPED : NO_NAME;
  const lower = name.toLowerCase();
  return KINDS.get(lower) ?? (isReservedHeader(lower) ? DROPPED : PLAIN);
});

const SAFE_NAME = /^[A-Za-z0-9-]+$/;

/** Control characters and obs-text (RFC 9110 §5.5): a rule on a field could be made to miss by bytes that are read as different characters (attack 16). */
const UNSAFE_VALUE = /[^\t\x20-\x7e]/;

// Made once: a flood of bad requests builds no objects.
const TOO_MANY = new Problem('headers-too-large', {
  detail: 'The request has more header fields than this listener takes.',
});
const BAD_VALUE = new Problem('bad-request', {
  detail: 'A header field has a character outside of printable US-ASCII; encode it.',
});
const BAD_NAME = new Problem('bad-request', { detail: 'The name of a header field is no token.' });
const SECOND_HOST = new Problem('ambiguous-host', { detail: 'The request has more than one Host field.' });
const DUPLICATE = new Problem('bad-request', {
  detail:
    'A field that may stand once stands twice: Authorization, Content-Length, Content-Type, Expect or Transfer-Encoding.',
});
