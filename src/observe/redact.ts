/** What stands in place of a value that must not be logged. */
export const REDACTED = '[redacted]';

/**
 * Hides the values of the named query parameters, whatever their case and also where their names are percent-encoded.
 * Everything else stays byte for byte.
 */
export function createQueryRedactor(names: readonly string[]): (query: string) => string {
  const hidden = new Set(names.map((name) => name.toLowerCase()));
  return function redactQuery(query) {
    return query
      .split('&')
      .map((pair) => {
        const equals = pair.indexOf('=');
        if (equals < 0) return pair;
        return hidden.has(decodedName(pair.slice(0, equals))) ? `${pair.slice(0, equals)}=${REDACTED}` : pair;
      })
      .join('&');
  };
}

/** Hides credentials in free text: error messages of upstreams and libraries may quote what they were sent. */
export function redactText(text: string): string {
  return text.replace(CREDENTIALS, (_match, scheme: string) => `${scheme} ${REDACTED}`).replace(JWT, REDACTED).replace(USERINFO, `//${REDACTED}@`);
}

const CREDENTIALS = /\b(Bearer|Basic|DPoP|Digest|Token)\s+[A-Za-z0-9\-._~+/=]{6,}/gi;
const JWT = /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;
const USERINFO = /\/\/[^/\s@]+@/g;

function decodedName(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' ')).toLowerCase();
  } catch {
    return name.toLowerCase();
  }
}
