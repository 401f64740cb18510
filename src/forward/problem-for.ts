import { Problem } from '../errors/problem.ts';
import { NoConnection, UpstreamTimeout } from './connection-pool.ts';
import { BadResponse } from './response-head.ts';

/** What a client is told where the upstream gave no response; the log is told more. */
export function problemFor(error: unknown): Problem {
  const internal = error instanceof Error ? error.message : String(error);
  if (error instanceof UpstreamTimeout) return new Problem('upstream-timeout', { internal });
  if (error instanceof NoConnection) {
    if (error.cause instanceof UpstreamTimeout) return new Problem('upstream-timeout', { internal });
    // A certificate that does not verify is not a service that is down: no retry will help.
    return new Problem(isCertificateFault(error.cause) ? 'bad-gateway' : 'upstream-unavailable', { internal });
  }
  if (error instanceof BadResponse) return new Problem('bad-gateway', { internal: `malformed response: ${internal}` });
  return new Problem('bad-gateway', { internal });
}

function isCertificateFault(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /CERT|SELF_SIGNED|ALTNAME|VERIFY|ISSUER|^ERR_SSL/.test(code);
}
