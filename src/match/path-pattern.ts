import { canonicalTarget } from '../lib/canonical-target.ts';

/** A path pattern taken apart. */
export interface PathPattern {
  /** The segments before `end`; `undefined` stands for a parameter, `''` for what follows a trailing slash. */
  readonly segments: readonly (string | undefined)[];
  /** What follows them: nothing, or for a prefix and a last `*` also a slash and any rest. */
  readonly end: 'exact' | 'prefix';
  readonly params: readonly PathParam[];
}

export interface PathParam {
  readonly name: string;
  /** Which segment of the path it is, counted from 0. */
  readonly segment: number;
}

/**
 * Takes `/v1/{id}/*` apart. With `prefix`, the path covers itself and all below it on segment borders; a trailing slash
 * it may have says nothing then. Throws where the literal part is not in canonical form: it could never match, and the
 * route it guards would silently be served by another. The configuration reports that earlier, with its line.
 */
export function parsePattern(path: string, prefix: boolean): PathPattern {
  const written = path.split('/');
  if (written.shift() !== '') throw new Error(`the path pattern ${path} does not begin with /`);
  if (prefix && written.at(-1) === '') written.pop();
  const rest = !prefix && written.at(-1) === '*';
  if (rest) written.pop();

  const params: PathParam[] = [];
  const segments = written.map((segment, position) => {
    const name = PARAMETER.exec(segment)?.[1];
    if (name === undefined) return segment;
    if (params.some((param) => param.name === name)) throw new Error(`${path} names the parameter {${name}} twice`);
    params.push({ name, segment: position });
    return undefined;
  });
  requireCanonical(path, segments);

  const end = prefix || rest ? 'prefix' : 'exact';
  return { segments, end, params };
}

function requireCanonical(path: string, segments: readonly (string | undefined)[]): void {
  if (segments.includes('*')) throw new Error(`${path} has * before its last segment`);
  const literal = segments.map((segment) => `/${segment ?? 'param'}`).join('') || '/';
  const target = canonicalTarget(literal, Number.POSITIVE_INFINITY);
  if ('code' in target) throw new Error(`the path pattern ${path} can match nothing: ${target.reason}`);
  if (target.target.path !== literal) throw new Error(`the path pattern ${path} is not in canonical form`);
}

const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/;
