/**
 * Every problem the admin API answers with. Codes are never renamed or reused; docs/admin-api.md explains each, and a test
 * holds the two together.
 */
// biome-ignore format: aligned on purpose, one problem a row
export const adminProblems = {
  'malformed':              { status: 400, title: 'The request cannot be read' },
  'invalid':                { status: 400, title: 'The request has faults' },
  'insufficient-scope':     { status: 403, title: 'The credentials lack a scope this needs' },
  'cross-site':             { status: 403, title: 'Requests of web pages from elsewhere are not accepted' },
  'not-found':              { status: 404, title: 'There is no such thing' },
  'method-not-allowed':     { status: 405, title: 'The method is not allowed here' },
  'conflict':               { status: 409, title: 'This cannot be done in the present state' },
  'managed-by-config':      { status: 409, title: 'This belongs to the configuration file' },
  'body-too-large':         { status: 413, title: 'The request body is too large' },
  'unsupported-media-type': { status: 415, title: 'The request body is of another type' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key was used for another request' },
  'internal-error':         { status: 500, title: 'The gateway met an unexpected condition' },
  'store-unavailable':      { status: 503, title: 'The records cannot be reached right now' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type AdminProblemCode = keyof typeof adminProblems;

/** One thing that is wrong with a request, and where. */
export interface RequestFault {
  /** A JSON pointer into the body, as a URI fragment (RFC 6901 §6). */
  readonly pointer?: string;
  /** The parameter of the query. */
  readonly parameter?: string;
  readonly message: string;
  /** What would be right. */
  readonly hint?: string;
}
