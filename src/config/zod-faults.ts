import type { z } from 'zod';
import { suggest } from '../lib/suggest.ts';
import type { Path, RawFault } from './faults.ts';
import type { OptionGuide } from './option-guide.ts';

/** Says what each issue of a parse of `root` means to the author of the file. The parse must have reported its input. */
export function faultsOfIssues(issues: readonly z.core.$ZodIssue[], root: unknown, guide: OptionGuide): RawFault[] {
  return issues.flatMap((issue) => faultsOfIssue(issue, [], { root, guide }));
}

interface Telling {
  readonly root: unknown;
  readonly guide: OptionGuide;
}

function faultsOfIssue(issue: z.core.$ZodIssue, at: Path, telling: Telling): RawFault[] {
  const { guide } = telling;
  const path = [...at, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `there is no option ${JSON.stringify(key)} here`,
        hint: guide.hintForKey(path, key),
        atKey: true,
      }));
    case 'invalid_union':
      return faultsOfUnion(issue, path, telling);
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues
        .flatMap((inner) => faultsOfIssue(inner, path, telling))
        .map((fault) => ({ ...fault, atKey: true }));
    case 'invalid_type':
      if (issue.input === undefined) return [missing(path, guide)];
      return [typeFault(path, issue.input, [typeName(issue.expected)], guide)];
    case 'invalid_value':
      if (issue.input === undefined) return [missing(path, guide)];
      return [valueFault(path, issue.input, issue.values)];
    case 'too_small':
    case 'too_big':
      return [{ path, subject: issue.input, ...boundFault(issue) }];
    case 'invalid_format':
      return [
        {
          path,
          subject: issue.input,
          message: FORMATS.get(issue.format) ?? issue.message,
          hint: guide.hintForValue(path),
        },
      ];
    case 'custom':
      return [customFault(issue, path, telling)];
    default:
      return [{ path, message: issue.message, hint: guide.hintForValue(path) }];
  }
}

function customFault(issue: z.core.$ZodIssueCustom, path: Path, telling: Telling): RawFault {
  const hint = issue.params?.['hint'];
  const step = path.at(-1);
  // A check of an object may point at one of its options, but reports the object; one of a key reports the key.
  const atKey = typeof step === 'string' && issue.input === step;
  const subject = atKey ? step : valueAt(telling.root, path);
  const continues = CONTINUES.test(issue.message);
  return {
    path,
    atKey,
    ...(continues ? { subject } : {}),
    message: issue.message,
    hint: typeof hint === 'string' ? hint : telling.guide.hintForValue(path),
  };
}

/**
 * The faults of the branch the author must have meant: one that takes a value of this kind. Where none does, all
 * that would be accepted.
 */
function faultsOfUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, telling: Telling): RawFault[] {
  const { guide } = telling;
  if (issue.input === undefined) return [missing(path, guide)];
  const meant = issue.errors.filter((branch) => !branch.some(refusesKind)).sort((a, b) => a.length - b.length)[0];
  if (meant !== undefined) return meant.flatMap((inner) => faultsOfIssue(inner, path, telling));

  const refusals = issue.errors.flat().filter(refusesKind);
  const values = refusals.flatMap((refusal) => (refusal.code === 'invalid_value' ? refusal.values : []));
  const types = refusals.flatMap((refusal) => (refusal.code === 'invalid_type' ? [typeName(refusal.expected)] : []));
  if (types.length === 0) return [valueFault(path, issue.input, values)];
  return [typeFault(path, issue.input, [...new Set([...values.map(String), ...types])], guide)];
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((node, step) => {
    return typeof node === 'object' && node !== null && Object.hasOwn(node, step) ? Reflect.get(node, step) : undefined;
  }, root);
}

function refusesKind(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function missing(path: Path, guide: OptionGuide): RawFault {
  return { path, message: `${String(path.at(-1) ?? 'the value')} is missing`, hint: guide.hintForValue(path) };
}

function typeFault(path: Path, input: unknown, expected: readonly string[], guide: OptionGuide): RawFault {
  const must = `must be ${expected.join(' or ')}`;
  const hint = guide.hintForValue(path);
  if (typeof input !== 'object') return { path, subject: input, message: must, hint };
  const found = input === null ? 'nothing' : Array.isArray(input) ? 'a list' : 'an object';
  return { path, message: `this ${must}, not ${found}`, hint };
}

function valueFault(path: Path, input: unknown, values: readonly unknown[]): RawFault {
  const words = values.map(String);
  const near = typeof input === 'string' ? suggest(input, words) : undefined;
  const message = words.length === 1 ? `is not ${words[0]}` : `is none of ${words.join(', ')}`;
  const subject = typeof input === 'object' ? 'the value' : input;
  return { path, subject, message, hint: `write ${near ?? (words.length > 6 ? 'one of them' : words.join(' or '))}` };
}

function boundFault(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): {
  readonly message: string;
  readonly hint: string;
} {
  const small = issue.code === 'too_small';
  const bound = String(small ? issue.minimum : issue.maximum);
  const unit = issue.origin === 'array' ? ' entries' : issue.origin === 'string' ? ' characters' : '';
  const than = small
    ? issue.inclusive === false
      ? 'more than'
      : 'at least'
    : issue.inclusive === false
      ? 'less than'
      : 'at most';
  if (small && unit !== '' && bound === '1')
    return { message: 'is empty', hint: `give at least one${unit === ' entries' ? ' entry' : ' character'}` };
  return { message: small ? 'is too small' : 'is too large', hint: `write ${than} ${bound}${unit}` };
}

function typeName(type: string): string {
  return TYPES.get(type) ?? type;
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['string', 'a string'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['object', 'an object with options'],
  ['record', 'an object with options'],
  ['array', 'a list'],
]);

const FORMATS: ReadonlyMap<string, string> = new Map([
  ['email', 'is not an email address'],
  ['url', 'is not a URL'],
]);

/** How our own messages begin, which go on from the value; a message that is a sentence of its own stands alone. */
const CONTINUES = /^(is|are|has|have|does|do|must|may|can|cannot|names|ends|begins)\b/;
