import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';

/** Asks an http or https origin for anything at all; any status counts as an answer. A text says why none came within 3 s. */
export function reachUpstream(target: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = target.startsWith('https:') ? requestTls : requestPlain;
    const call = request(target, { method: 'HEAD', agent: false, signal: AbortSignal.timeout(3_000) }, (response) => {
      response.resume();
      call.destroy();
      resolve(undefined);
    });
    call.on('error', (error: NodeJS.ErrnoException) => resolve(reasonOf(error)));
    call.end();
  });
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.name === 'AbortError' || error.code === 'ABORT_ERR') return 'no answer within 3 s';
  return REASONS[error.code ?? ''] ?? error.code ?? error.message;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'its name cannot be looked up now',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; give upstream.tls.ca',
};
