import { formatPath, type Path } from './faults.ts';

/** Whether a piece of the file looks as if it held a literal secret: credentials in a URL, an option named for a secret, key material. */
export function mayHoldSecret(text: string): boolean {
  return TELLTALE.test(text) || SECRET_OPTION.test(text);
}

/** Whether the value at a place is likely a literal secret. Header fields that are sent may carry credentials under any name. */
export function isSecretPath(path: Path): boolean {
  const text = formatPath(path);
  return isSecretOption(text) || FIELD_VALUES.test(text);
}

/** The formatted paths of strings that are secrets by their place or look, and stand in the file itself instead of behind a reference. */
export function findLiteralSecrets(root: unknown, references: ReadonlySet<string>): string[] {
  const found: string[] = [];
  visitStrings(root, [], (value, path) => {
    const text = formatPath(path);
    const secret =
      isSecretOption(text) ||
      text.startsWith('tracing.otlp.headers') ||
      /^(Bearer|Basic)\s/i.test(value) ||
      PASSWORD_IN_URL.test(value);
    if (secret && value !== '' && !references.has(text)) found.push(text);
  });
  return found;
}

function visitStrings(value: unknown, path: Path, visit: (value: string, path: Path) => void): void {
  if (typeof value === 'string') visit(value, path);
  if (typeof value !== 'object' || value === null) return;
  const list = Array.isArray(value);
  for (const [key, child] of Object.entries(value)) visitStrings(child, [...path, list ? Number(key) : key], visit);
}

function isSecretOption(path: string): boolean {
  return (SECRET_OPTION.test(`${path}:`) || KEYS.test(path)) && !LIFETIMES.test(path);
}

/** Keys of consumers, and those that seal the records. */
const KEYS = /^consumers\[\d+\]\.keys\[\d+\]\.key$|^stores\.encryptionKeys\[/;

/** How long tokens live is no secret. */
const LIFETIMES = /^authorizationServer\.lifetimes\./;

const PASSWORD_IN_URL = /:\/\/[^/\s@]*:[^/\s@]+@/;

const TELLTALE = /:\/\/[^/\s]*@|[A-Za-z0-9+=]{32}|PRIVATE KEY|\bBearer\s/i;

const SECRET_OPTION = /(pass(word|phrase)?|secret|token|api[-_ ]?key|authorization|credential|cookie)["'\]]*\s*:/i;

const FIELD_VALUES = /(^|\.)(headers\.(request|reply)\.set|otlp\.headers)[.[]/;
