import { type Fault, formatPath, type Path, type RawFault } from './faults.ts';
import { type Redactor, redactor } from './redactor.ts';
import type { ResolvedSecret } from './references.ts';
import { isSecretPath, mayHoldSecret } from './secret-places.ts';
import type { Source } from './source.ts';

/** Gives faults their lines, takes out what came from references, and puts them in the order of the text. */
export function placeFaults(faults: readonly RawFault[], source: Source, secrets: readonly ResolvedSecret[]): Fault[] {
  const byPath = new Map<string, ResolvedSecret[]>();
  for (const secret of secrets) {
    const path = formatPath(secret.path);
    byPath.set(path, [...(byPath.get(path) ?? []), secret]);
  }
  const redact = redactor(secrets);
  return faults
    .map((fault) => placeFault(fault, source, { own: secretsAround(fault.path, byPath), redact }))
    .sort(inTextOrder);
}

interface Redaction {
  /** References in the value the fault is about. */
  readonly own: readonly ResolvedSecret[];
  /** Puts references back for their values. */
  readonly redact: Redactor;
}

function placeFault(fault: RawFault, source: Source, redaction: Redaction): Fault {
  const place =
    fault.offset === undefined ? source.locate(fault.path, fault.atKey === true) : source.locateOffset(fault.offset);
  const line = place === undefined ? undefined : source.lineText(place.line);
  const message = 'subject' in fault ? `${describe(fault, redaction)} ${fault.message}` : fault.message;
  return {
    path: redaction.redact(formatPath(fault.path)),
    line: place?.line,
    column: place?.column,
    ...redactSentences(message, fault.hint, redaction),
    excerpt: line === undefined || mayHoldSecret(line) || isSecretPath(fault.path) ? undefined : line,
  };
}

/** What a message is about: a reference by its name, a key or short literal as it is, anything else by its kind. */
function describe({ subject, path, atKey }: RawFault, redaction: Redaction): string {
  const reference = redaction.own[0];
  if (reference !== undefined) return `the value of ${reference.written}`;
  if (typeof subject === 'string') {
    const shown = JSON.stringify(subject);
    const secret = mayHoldSecret(subject) || (atKey !== true && isSecretPath(path));
    return shown.length > 80 || secret ? 'the value' : shown;
  }
  if (Array.isArray(subject)) return 'the list';
  if (typeof subject === 'object' && subject !== null) return 'the value';
  return String(subject);
}

function redactSentences(
  message: string,
  hint: string | undefined,
  redaction: Redaction,
): { message: string; hint: string | undefined } {
  const safe = {
    message: redaction.redact(message),
    hint: hint === undefined ? undefined : redaction.redact(hint),
  };
  const reference = redaction.own[0];
  if (reference === undefined) return safe;
  // A policy's own message may quote the value in some other form; none of its longer words may come through.
  const generic = `the value of ${reference.written} is not accepted here`;
  return {
    message: quotes(safe.message, redaction.own) ? generic : safe.message,
    hint: safe.hint !== undefined && quotes(safe.hint, redaction.own) ? undefined : safe.hint,
  };
}

function quotes(text: string, secrets: readonly ResolvedSecret[]): boolean {
  return secrets.some(({ value, written }) => {
    const rest = text.replaceAll(written, '').toLowerCase();
    const words = value.toLowerCase().match(/[\p{L}\p{N}]{4,}/gu) ?? [];
    return [value.toLowerCase(), ...words].some((word) => word !== '' && !GRAMMAR.has(word) && rest.includes(word));
  });
}

/** The references in a value, or in the nearest one around it that has any. */
function secretsAround(path: Path, byPath: ReadonlyMap<string, readonly ResolvedSecret[]>): readonly ResolvedSecret[] {
  for (let length = path.length; length > 0; length -= 1) {
    const found = byPath.get(formatPath(path.slice(0, length)));
    if (found !== undefined) return found;
  }
  return [];
}

/** Words of values that our own hints use too, and that are no secret. */
const GRAMMAR: ReadonlySet<string> = new Set([
  'http',
  'https',
  'unix',
  'localhost',
  'none',
  'true',
  'false',
  'auto',
  'public',
  'internal',
]);

function inTextOrder(a: Fault, b: Fault): number {
  const line = (a.line ?? 0) - (b.line ?? 0);
  if (line !== 0) return line;
  const column = (a.column ?? 0) - (b.column ?? 0);
  return column !== 0 ? column : a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
