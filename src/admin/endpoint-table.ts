import type { Action } from './action.ts';

/** One row of the API: what is asked for, by whom, and what answers. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Below the base path; `{name}` is a variable part. */
  readonly path: string;
  /** What the caller must have, or `admin`, which stands for both. */
  readonly scope: 'admin:read' | 'admin:write';
  readonly action: Action;
  readonly summary: string;
}

export type Match =
  | { readonly endpoint: Endpoint; readonly params: Readonly<Record<string, string>> }
  /** The path is there, the method is not. */
  | { readonly allowed: readonly string[] }
  | undefined;

/** Makes the look-up for a table. A fixed segment goes before a variable one, so `/keys/import` is never the key `import`. */
export function compileEndpoints(endpoints: readonly Endpoint[]): (method: string, path: string) => Match {
  const rows = endpoints.map((endpoint) => ({ endpoint, segments: endpoint.path.slice(1).split('/') }));
  return function matchEndpoint(method, path) {
    const segments = path.slice(1).split('/');
    const candidates = rows.flatMap((row) => {
      const params = matchSegments(row.segments, segments);
      return params === undefined ? [] : [{ endpoint: row.endpoint, params }];
    });
    const fixed = Math.min(...candidates.map(({ params }) => Object.keys(params).length));
    const nearest = candidates.filter(({ params }) => Object.keys(params).length === fixed);
    const found = nearest.find(({ endpoint }) => endpoint.method === (method === 'HEAD' ? 'GET' : method));
    if (found !== undefined) return found;
    return nearest.length === 0 ? undefined : { allowed: nearest.map(({ endpoint }) => endpoint.method) };
  };
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!part.startsWith('{')) {
      if (part !== segment) return undefined;
      continue;
    }
    const value = decode(segment);
    if (value === undefined) return undefined;
    params[part.slice(1, -1)] = value;
  }
  return params;
}

/** Undefined for what cannot be the id of anything. */
function decode(segment: string): string | undefined {
  if (segment === '' || segment.length > 1024) return undefined;
  try {
    const text = decodeURIComponent(segment);
    return /\p{Cc}/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
