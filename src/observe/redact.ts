/** What stands in place of a value that must not be logged. */
export const REDACTED = '[redacted]';

export type QueryRedactor = (query: string) => string;

/**
 * Hides the values of the named query parameters, whatever their case, also where their names are percent-encoded or in brackets
 * (`user[password]`), and whatever looks like a credential in any other. Everything else stays byte for byte.
 */
export function createQueryRedactor(names: readonly string[]): QueryRedactor {
  const hidden = new Set(names.map((name) => name.toLowerCase()));
  const maybeSecret = maybeSecretIn(hidden);

  function redactPair(pair: string): string {
    const equals = pair.indexOf('=');
    if (equals < 0) return pair;
    const name = pair.slice(0, equals);
    return isHidden(name, hidden) ? `${name}=${REDACTED}` : pair;
  }

  // Some servers end a parameter at `;` too (HTML 4 §B.2.2).
  return function redactQuery(query) {
    return maybeSecret.test(query) ? redactText(query.replace(/[^&;]+/g, redactPair)) : query;
  };
}

/**
 * Hides credentials in free text: messages of upstreams and libraries may quote what they were sent. Known are authorization
 * schemes, JWTs, API keys of our own, the userinfo of URLs, cookies, private keys, and values behind telling names such as `password=`.
 */
export function redactText(text: string): string {
  return MAYBE_SECRET.test(text)
    ? text
        .replace(PRIVATE_KEY, REDACTED)
        .replace(COOKIES, `$1${REDACTED}`)
        .replace(CREDENTIALS, `$1 ${REDACTED}`)
        .replace(JWT, REDACTED)
        .replace(API_KEY, `$1${REDACTED}`)
        .replace(USERINFO, `//${REDACTED}@`)
        .replace(NAMED, `$1${REDACTED}`)
    : text;
}

/** True for all that the expressions below could match; most texts need no more than this one look. */
const MAYBE_SECRET = /eyJ|@|sp[_%]|PRIVATE KEY|cookie|bearer|basic|dpop|digest|token|passw|secret|api|authorization/i;
const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g;
const COOKIES = /\b((?:set-)?cookie["']?\s{0,8}[:=]\s{0,8})[^\r\n]+/gi;
const CREDENTIALS = /\b(Bearer|Basic|DPoP|Digest|Token)(?:\s|%20|\+){1,8}[A-Za-z0-9\-._~+/=%]{6,}/gi;
/** Also a part of one: a text may have been cut within it. */
const JWT = /\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}/g;
/** Keys of our own, mistyped ones too, wherever they stand; what is before the secret part may be known (lib/api-key.ts). */
const API_KEY = /(sp(?:_|%5F)[a-z0-9]{1,12}(?:_|%5F)[0-9A-Za-z]{8,16}(?:_|%5F))[0-9A-Za-z%_-]{8,}/gi;
/** Up to the last @ of the authority: a password may hold one too. */
const USERINFO = /\/\/[^/\s?#]*@/g;
const NAMED =
  /((?:password|passwd|secret|api[_-]?key|(?:access|refresh|id|auth|session|csrf)[_-]?token|authorization)["']?\s{0,8}[:=]\s{0,8}["']?)(?!\[redacted\]|(?:Bearer|Basic|DPoP|Digest|Token) \[redacted\])[^\s"'&;,]+/gi;

/** True also for every query that has one of the names in it, spelled out in whatever case or in a form that has to be decoded first. */
function maybeSecretIn(names: Iterable<string>): RegExp {
  return new RegExp(
    [MAYBE_SECRET.source, '[%+]', '[^\\x00-\\x7f]', ...Array.from(names, RegExp.escape)].join('|'),
    'i',
  );
}

function isHidden(name: string, hidden: ReadonlySet<string>): boolean {
  const plain = decodedName(name);
  if (hidden.has(plain)) return true;
  return plain.includes('[') && plain.split(/[[\]]+/).some((part) => hidden.has(part));
}

function decodedName(name: string): string {
  if (!name.includes('%') && !name.includes('+')) return name.toLowerCase();
  try {
    return decodeURIComponent(name.replaceAll('+', ' ')).trim().toLowerCase();
  } catch {
    return name.toLowerCase();
  }
}
