import type { z } from 'zod';
import { suggest } from '../lib/suggest.ts';
import type { Path, RawFault } from './faults.ts';
import type { OptionGuide } from './option-guide.ts';

/** Says what each issue of a parse means to the author of the file. `at` is where the parsed value stands. The parse must have reported its input. */
export function faultsOfIssues(issues: readonly z.core.$ZodIssue[], at: Path, guide: OptionGuide): RawFault[] {
  return issues.flatMap((issue) => faultsOfIssue(issue, at, guide));
}

function faultsOfIssue(issue: z.core.$ZodIssue, at: Path, guide: OptionGuide): RawFault[] {
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
      return faultsOfUnion(issue, path, guide);
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues
        .flatMap((inner) => faultsOfIssue(inner, path, guide))
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
    case 'custom': {
      const hint = typeof issue.params?.['hint'] === 'string' ? issue.params['hint'] : undefined;
      // Our own messages go on from the value; a sentence of its own does not.
      const continues = /^(is|are|has|have|does|do|must|may|can|cannot|names|ends|begins)\b/.test(issue.message);
      return [
        {
          path,
          ...(continues ? { subject: issue.input } : {}),
          message: issue.message,
          hint: hint ?? guide.hintForValue(path),
        },
      ];
    }
    default:
      return [{ path, message: issue.message, hint: guide.hintForValue(path) }];
  }
}

/**
 * The faults of the branch the author must have meant: one that takes a value of this kind. Where none does, all
 * that would be accepted.
 */
function faultsOfUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, guide: OptionGuide): RawFault[] {
  if (issue.input === undefined) return [missing(path, guide)];
  const meant = issue.errors.filter((branch) => !branch.some(refusesKind)).sort((a, b) => a.length - b.length)[0];
  if (meant !== undefined) return faultsOfIssues(meant, path, guide);

  const refusals = issue.errors.flat().filter(refusesKind);
  const values = refusals.flatMap((refusal) => (refusal.code === 'invalid_value' ? refusal.values : []));
  const types = refusals.flatMap((refusal) => (refusal.code === 'invalid_type' ? [typeName(refusal.expected)] : []));
  if (types.length === 0) return [valueFault(path, issue.input, values)];
  return [typeFault(path, issue.input, [...new Set([...values.map(String), ...types])], guide)];
}

function refusesKind(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function missing(path: Path, guide: OptionGuide): RawFault {
  return { path, message: `${String(path.at(-1) ?? 'the value')} is missing`, hint: guide.hintForValue(path) };
}

function typeFault(path: Path, input: unknown, expected: readonly string[], guide: OptionGuide): RawFault {
  const found = input === null ? 'empty' : kindOf(input);
  const message = `must be ${expected.join(' or ')}, not ${found}`;
  return {
    path,
    ...(typeof input === 'object' ? { message: `this ${message}` } : { message, subject: input }),
    hint: guide.hintForValue(path),
  };
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

function kindOf(input: unknown): string {
  if (Array.isArray(input)) return 'a list';
  return typeName(typeof input);
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
