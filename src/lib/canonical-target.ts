/** A request target after its one normalisation: match, policies and forward all use these strings. */
export interface CanonicalTarget {
  /** Absolute path, percent-encoding normalised; never holds dot segments or empty inner segments. */
  readonly path: string;
  /** The query without its `?`, byte for byte as sent; undefined where there was no `?`. */
  readonly query: string | undefined;
  /** True where the path holds %2F, %5C, %23, %3F, %3B or %25 followed by two hex digits; a route must opt in to those. */
  readonly encodedDelimiters: boolean;
}

/** A request target that was understood. Only the absolute form (RFC 9112 §3.2.2) carries a scheme and an authority, both as sent. */
export interface ReadTarget {
  readonly target: CanonicalTarget;
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
}

export interface TargetRefusal {
  readonly code: 'ambiguous-target' | 'target-too-long';
  /** For the log. */
  readonly reason: string;
}

/**
 * Brings a request target into the one form the whole road uses, or refuses it. Nothing ambiguous is repaired: a target that two
 * servers could read in two ways is how requests get past a gateway's rules (Oathkeeper CVE-2026-33494, Envoy CVE-2021-32779).
 * The asterisk form comes out as the path `*`. `maxBytes` bounds the target as sent.
 */
export function canonicalTarget(raw: string, maxBytes: number): ReadTarget | TargetRefusal {
  if (raw.length > maxBytes)
    return { code: 'target-too-long', reason: `a target of ${raw.length} bytes where ${maxBytes} are allowed` };
  if (raw.charCodeAt(0) === SLASH) return read(raw, undefined, undefined);
  if (raw === '*')
    return {
      target: { path: '*', query: undefined, encodedDelimiters: false },
      scheme: undefined,
      authority: undefined,
    };
  const absolute = ABSOLUTE_FORM.exec(raw);
  if (absolute === null) return refusal('neither a path nor an absolute http or https URL');
  const rest = absolute[3] ?? '';
  return read(rest.charCodeAt(0) === SLASH ? rest : `/${rest}`, absolute[1], absolute[2]);
}

function read(origin: string, scheme: string | undefined, authority: string | undefined): ReadTarget | TargetRefusal {
  const mark = origin.indexOf('?');
  const rawPath = mark < 0 ? origin : origin.slice(0, mark);
  const query = mark < 0 ? undefined : origin.slice(mark + 1);
  if (query !== undefined && !QUERY.test(query))
    return refusal('the query holds an octet that must be percent-encoded');

  // Most targets hold nothing that could need work; one expression tells.
  let path = rawPath;
  let encodedDelimiters = false;
  if (!PLAIN_PATH.test(rawPath)) {
    const worked = canonicalPath(rawPath);
    if ('reason' in worked) return worked;
    path = worked.path;
    encodedDelimiters = worked.encodedDelimiters;
  }
  const odd = oddSegment(path);
  return odd === undefined ? { target: { path, query, encodedDelimiters }, scheme, authority } : refusal(odd);
}

/** Decodes unreserved octets (RFC 3986 §6.2.2.2), writes the other escapes in upper case, and refuses what must not be in a path. */
function canonicalPath(raw: string): { readonly path: string; readonly encodedDelimiters: boolean } | TargetRefusal {
  let path = '';
  let encodedDelimiters = false;
  for (let at = 0; at < raw.length; at += 1) {
    const code = raw.charCodeAt(at);
    if (code !== PERCENT) {
      const kept = PATH_CHARACTERS[code];
      if (kept === undefined)
        return refusal(`the path holds ${JSON.stringify(raw[at])}, which must be percent-encoded`);
      path += kept;
      continue;
    }
    const octet = hexOctet(raw, at + 1);
    if (octet < 0) return refusal('a % without two hex digits');
    if (octet < 0x20 || octet === 0x7f) return refusal('an encoded control character');
    if (octet >= 0x80) {
      const length = utf8Length(raw, at);
      if (length === 0) return refusal('encoded octets that are no UTF-8');
      path += raw.slice(at, at + 3 * length).toUpperCase();
      at += 3 * length - 1;
      continue;
    }
    at += 2;
    if (isUnreserved(octet)) {
      path += String.fromCharCode(octet);
      continue;
    }
    if (DELIMITERS.has(octet)) encodedDelimiters = true;
    path += `%${HEX[octet >> 4]}${HEX[octet & 15]}`;
  }
  // Judged on the outcome: decoding `%25%61a` brings the digits together.
  return { path, encodedDelimiters: encodedDelimiters || TWICE_ENCODED.test(path) };
}

/** What is wrong with the segments of a path whose escapes are canonical; undefined where nothing is. */
function oddSegment(path: string): string | undefined {
  if (path.includes('//')) return 'an empty path segment';
  // Servers that strip path parameters see an empty segment in `/;x/`.
  if (path.includes('/;')) return 'a path segment of nothing but parameters';
  return path.includes('.') && DOT_SEGMENT.test(path) ? 'a dot segment' : undefined;
}

/** How many escapes from `at` on make one character of UTF-8 (RFC 3629 §4); 0 where they make none. */
function utf8Length(raw: string, at: number): number {
  const first = hexOctet(raw, at + 1);
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  for (let index = 1; index < length; index += 1) {
    const octet = raw.charCodeAt(at + 3 * index) === PERCENT ? hexOctet(raw, at + 3 * index + 1) : -1;
    const low = index === 1 ? (first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80) : 0x80;
    const high = index === 1 ? (first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf) : 0xbf;
    if (octet < low || octet > high) return 0;
  }
  return length;
}

function hexOctet(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function isUnreserved(octet: number): boolean {
  return UNRESERVED.test(String.fromCharCode(octet));
}

function refusal(reason: string): TargetRefusal {
  return { code: 'ambiguous-target', reason };
}

const SLASH = 0x2f;
const PERCENT = 0x25;
/**
 * `.` or `..` between any two of what some server takes for a delimiter. Encoded delimiters count even where a route opts in to
 * them, since `..%2F` is no name but a climb; so do path parameters (`..;a=b`, Envoy CVE-2026-73551).
 */
const DOT_SEGMENT = /(?:\/|%2F|%5C)\.{1,2}(?:$|[/;]|%(?:2F|5C|3B|3F|23))/;
const HEX = '0123456789ABCDEF';
const ABSOLUTE_FORM = /^(https?):\/\/([^/?#]*)(.*)$/is;
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;
/** pchar of RFC 3986 §3.3 and `/`, without escapes. */
const PLAIN_PATH = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/]*$/;
/** Visible ASCII but `#`: what browsers leave bare in a query is passed on byte for byte. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/;
/** A server that decodes twice would find another escape here. */
const TWICE_ENCODED = /%25[0-9A-Fa-f]{2}/;
/** `/ \ # ? ;`: another server might take these, decoded, for the delimiters they are. */
const DELIMITERS = new Set([0x2f, 0x5c, 0x23, 0x3f, 0x3b]);
/** What each allowed character of a path becomes; browsers send the last four bare, and they mean nothing else. */
const PATH_CHARACTERS: readonly (string | undefined)[] = pathCharacters();

function pathCharacters(): (string | undefined)[] {
  const table: (string | undefined)[] = new Array(128).fill(undefined);
  for (let code = 0; code < 128; code += 1) {
    const character = String.fromCharCode(code);
    if (PLAIN_PATH.test(character)) table[code] = character;
    else if ('[]|^'.includes(character)) table[code] = encodeURIComponent(character).toUpperCase();
  }
  return table;
}
