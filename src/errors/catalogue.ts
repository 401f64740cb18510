/**
 * Every problem a client can be told of. Codes are part of the public interface: they are never
 * renamed or reused. `docs/problems.md` explains each; a test holds the two together.
 */
// biome-ignore format: aligned on purpose, one problem a row
export const catalogue = {
  'bad-request':            { status: 400, blame: 'client',   retryable: false, title: 'The request is malformed' },
  'ambiguous-target':       { status: 400, blame: 'client',   retryable: false, title: 'The request target is ambiguous' },
  'ambiguous-host':         { status: 400, blame: 'client',   retryable: false, title: 'The request authority is missing or ambiguous' },
  'unauthenticated':        { status: 401, blame: 'client',   retryable: false, title: 'Authentication is required' },
  'invalid-token':          { status: 401, blame: 'client',   retryable: false, title: 'The access token is not valid here' },
  'invalid-key':            { status: 401, blame: 'client',   retryable: false, title: 'The API key is not valid here' },
  'certificate-required':   { status: 403, blame: 'client',   retryable: false, title: 'A client certificate is required' },
  'insufficient-scope':     { status: 403, blame: 'client',   retryable: false, title: 'The credentials lack a scope this needs' },
  'forbidden':              { status: 403, blame: 'client',   retryable: false, title: 'The caller may not do this' },
  'cross-site-request':     { status: 403, blame: 'client',   retryable: false, title: 'Requests from another site are not accepted here' },
  'forbidden-address':      { status: 403, blame: 'client',   retryable: false, title: 'Requests from this address are not accepted' },
  'no-route':               { status: 404, blame: 'client',   retryable: false, title: 'Nothing is published here' },
  'method-not-allowed':     { status: 405, blame: 'client',   retryable: false, title: 'The method is not allowed here' },
  'request-timeout':        { status: 408, blame: 'client',   retryable: true,  title: 'The request took too long to arrive' },
  'body-too-large':         { status: 413, blame: 'client',   retryable: false, title: 'The request body is too large' },
  'target-too-long':        { status: 414, blame: 'client',   retryable: false, title: 'The request target is too long' },
  'unsupported-encoding':   { status: 415, blame: 'client',   retryable: false, title: 'The content coding of the request is not supported' },
  'expectation-failed':     { status: 417, blame: 'client',   retryable: false, title: 'The expectation cannot be met' },
  'https-required':         { status: 403, blame: 'client',   retryable: false, title: 'This service is reached over HTTPS only' },
  'headers-too-large':      { status: 431, blame: 'client',   retryable: false, title: 'The request header fields are too large' },
  'internal-error':         { status: 500, blame: 'gateway',  retryable: false, title: 'The gateway met an unexpected condition' },
  'not-implemented':        { status: 501, blame: 'client',   retryable: false, title: 'The request needs a feature the gateway does not have' },
  'bad-gateway':            { status: 502, blame: 'upstream', retryable: true,  title: 'The service behind the gateway gave no usable answer' },
  'upstream-error':         { status: 502, blame: 'upstream', retryable: true,  title: 'The service behind the gateway failed' },
  'upstream-unavailable':   { status: 503, blame: 'upstream', retryable: true,  title: 'The service behind the gateway cannot be reached' },
  'identity-unavailable':   { status: 503, blame: 'store',    retryable: true,  title: 'Who is calling cannot be checked right now' },
  'upstream-timeout':       { status: 504, blame: 'upstream', retryable: true,  title: 'The service behind the gateway took too long to answer' },
} as const satisfies Record<string, CatalogueEntry>;

export type ProblemCode = keyof typeof catalogue;

interface CatalogueEntry {
  readonly status: number;
  readonly blame: 'client' | 'upstream' | 'gateway' | 'store';
  readonly retryable: boolean;
  readonly title: string;
}
