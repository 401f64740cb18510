/** What is wrong with an origin of the configuration, and what would be right. */
export interface OriginRefusal {
  readonly message: string;
  readonly hint: string;
}

/**
 * Reads an origin the way a browser writes it in the Origin field (WHATWG HTML, "serialization of an origin"): scheme and
 * host in lower case, the port only where it is not the scheme's own. `*` stands for every origin. What could match more
 * or less than its author means is refused.
 */
export function readOrigin(text: string): { readonly origin: string } | OriginRefusal {
  if (text === ANY_ORIGIN) return { origin: text };
  if (text.toLowerCase() === 'null') return NULL_ORIGIN;
  if (text.includes('*')) return WILDCARD;
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\\@\s]+)(\/?)(.*)$/is.exec(text);
  const scheme = parts?.[1]?.toLowerCase();
  const authority = parts?.[2];
  if (scheme === undefined || authority === undefined || !SCHEMES.has(scheme)) return NOT_AN_ORIGIN;
  const origin = WEB_SCHEMES.has(scheme) ? webOrigin(scheme, authority) : appOrigin(scheme, authority);
  if (origin === undefined) return NOT_AN_ORIGIN;
  if (parts?.[3] !== '' || parts[4] !== '') {
    return { message: 'has more than scheme, host and port', hint: `write ${origin}` };
  }
  return { origin };
}

export const ANY_ORIGIN = '*';

function webOrigin(scheme: string, authority: string): string | undefined {
  const text = `${scheme}://${authority}`;
  return URL.canParse(text) ? new URL(text).origin : undefined;
}

/** The schemes of apps and extensions have no default port, and URL gives them no origin. */
function appOrigin(scheme: string, authority: string): string | undefined {
  return /^[a-z0-9._-]+(?::\d{1,5})?$/i.test(authority) ? `${scheme}://${authority.toLowerCase()}` : undefined;
}

const WEB_SCHEMES: ReadonlySet<string> = new Set(['http', 'https']);

/** Besides the web's: the schemes app shells and browser extensions load their pages with. */
const SCHEMES: ReadonlySet<string> = new Set([
  ...WEB_SCHEMES,
  'capacitor',
  'chrome-extension',
  'ionic',
  'moz-extension',
  'safari-web-extension',
  'tauri',
]);

const NOT_AN_ORIGIN: OriginRefusal = {
  message: 'is not an origin',
  hint: 'write scheme, host and, if it has one, port: https://app.example.com or http://localhost:5173',
};

// Attack 52: every sandboxed frame and every local file has the origin `null`, an attacker's too.
const NULL_ORIGIN: OriginRefusal = {
  message: 'is the origin of every sandboxed frame and local file, those of an attacker included',
  hint: 'serve the page from an origin of its own and write that, such as https://app.example.com',
};

// Attack 52: patterns are where look-alike hosts slip through.
const WILDCARD: OriginRefusal = {
  message: 'is a pattern; origins are compared whole',
  hint: 'write each origin out, or * alone for everyone where no credentials are allowed',
};
