import { canonicalTarget } from '../lib/canonical-target.ts';
import { type Refusal, readMethods } from './option-types.ts';

/** What a route's `match` asks for. */
export interface RouteMatch {
  /** Undefined means any method. */
  readonly methods: readonly string[] | undefined;
  /** Relative to the API's path: literal segments, `{param}` segments, and perhaps a last segment `*`. */
  readonly path: string;
}

/**
 * Reads a literal path. It must already be in the one form the gateway brings request targets into (lib/canonical-target.ts):
 * a path in another form could never match.
 */
export function readPath(text: string): { readonly value: string } | Refusal {
  return checkPath(text, { patterns: false }) ?? { value: text };
}

/** Reads `METHOD[,METHOD] /path/{param}/*`. */
export function readMatch(text: string): { readonly value: RouteMatch } | Refusal {
  const parts = /^(\S+) +(\S+)$/.exec(text);
  const [, methodText = '', path = ''] = parts ?? [];
  if (parts === null) {
    const hint = text.startsWith('/')
      ? `write * ${text.trim()} for any method`
      : 'write GET /path, GET,HEAD /path or * /path';
    return { message: 'is not a method and a path', hint };
  }
  const methods = readMethods(methodText);
  if ('message' in methods) return methods;
  return checkPath(path, { patterns: true }) ?? { value: { methods: methods.value, path } };
}

function checkPath(text: string, allowed: { readonly patterns: boolean }): Refusal | undefined {
  if (!text.startsWith('/')) return { message: 'does not begin with /', hint: `write /${text}` };
  if (text.length > LONGEST) return { message: `is longer than ${LONGEST} characters`, hint: 'shorten it' };
  if (/[?#]/.test(text)) return { message: 'has a query or fragment', hint: `write ${text.replace(/[?#].*$/, '')}` };
  if (text === '/') return undefined;
  const segments = text.slice(1).split('/');
  if (segments.at(-1) === '') {
    if (!allowed.patterns) return { message: 'ends in /', hint: `write ${text.replace(/\/+$/, '') || '/'}` };
    segments.pop();
  }
  if (segments.includes(''))
    return { message: 'has an empty segment', hint: `write ${text.replaceAll(/\/{2,}/g, '/')}` };
  return allowed.patterns ? checkPattern(segments) : firstRefusal(segments, checkLiteral);
}

function checkPattern(segments: readonly string[]): Refusal | undefined {
  const names = new Set<string>();
  for (const [at, segment] of segments.entries()) {
    if (segment === '*' && at === segments.length - 1) continue;
    if (segment === '*')
      return { message: 'has * before its last segment', hint: 'write {name} for one segment of any value' };
    const name = /^\{(.*)\}$/.exec(segment)?.[1];
    if (name === undefined) {
      const refusal = checkLiteral(segment);
      if (refusal !== undefined) return refusal;
      continue;
    }
    if (!PARAMETER.test(name) || name in Object.prototype) {
      return {
        message: `has ${JSON.stringify(segment)}, which names no parameter`,
        hint: 'write a letter, then letters, digits or _, such as {id}',
      };
    }
    if (names.has(name))
      return { message: `names the parameter {${name}} twice`, hint: 'give each parameter its own name' };
    names.add(name);
  }
  return undefined;
}

function checkLiteral(segment: string): Refusal | undefined {
  if (/^(\.|%2e){1,2}$/i.test(segment)) return { message: 'has a dot segment', hint: 'write the path it leads to' };
  if (/[{}*]/.test(segment)) {
    return {
      message: `has ${JSON.stringify(segment)}`,
      hint: 'a parameter {name} or a final * of a `match` fills a whole segment',
    };
  }
  if (/[\\;]/.test(segment)) return DELIMITER;
  // What is no pchar of RFC 3986 §3.3 stands in a request target in its encoded form.
  const encoded = segment.toWellFormed().replaceAll(/[^A-Za-z0-9\-._~!$&'()*+,=:@%]+/g, encodeURIComponent);
  const read = canonicalTarget(`/${encoded}`, LONGEST * 12);
  if ('code' in read)
    return { message: `can never match: a request with ${read.reason} is refused`, hint: 'write the path without it' };
  if (read.target.encodedDelimiters) return DELIMITER;
  const canonical = read.target.path.slice(1);
  if (canonical === segment) return undefined;
  const hint = `write ${JSON.stringify(canonical)} for ${JSON.stringify(segment)}`;
  return { message: 'is not in the one form the gateway brings paths into', hint };
}

function firstRefusal(
  segments: readonly string[],
  check: (segment: string) => Refusal | undefined,
): Refusal | undefined {
  for (const segment of segments) {
    const refusal = check(segment);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

const DELIMITER: Refusal = {
  message: 'has a delimiter that servers read in different ways',
  hint: 'leave \\ and ; out of segments, and encoded / \\ # ? ; and %',
};

const PARAMETER = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

const LONGEST = 2048;
