import { Problem } from '../errors/problem.ts';
import type { Exchange } from '../exchange.ts';
import type { ListenerHandlers, RedirectOptions } from './listener-options.ts';

/** What the redirect may change while it runs. */
export interface RedirectState {
  options: RedirectOptions;
}

/**
 * Answers on a plain port: a safe method is sent on to HTTPS, anything else is refused, since its body and credentials have
 * already crossed the network in the clear and the client must learn of it. ACME's http-01 challenges are answered here.
 */
export function redirectHandlers(state: RedirectState, handlers: ListenerHandlers): ListenerHandlers {
  return {
    ...handlers,
    exchange(exchange): void {
      const keyAuthorization = challengeAnswer(exchange, state.options.challenges);
      if (keyAuthorization !== undefined) answerChallenge(exchange, keyAuthorization);
      else if (exchange.method === 'GET' || exchange.method === 'HEAD') redirect(exchange, state.options.httpsPort);
      else handlers.refuse(exchange.wire, HTTPS_REQUIRED, exchange.id);
    },
  };
}

function challengeAnswer(exchange: Exchange, challenges: RedirectOptions['challenges']): string | undefined {
  const { path } = exchange.target;
  if (exchange.method !== 'GET' || !path.startsWith(CHALLENGE)) return undefined;
  return challenges.get(path.slice(CHALLENGE.length));
}

function answerChallenge(exchange: Exchange, keyAuthorization: string): void {
  const length = String(Buffer.byteLength(keyAuthorization));
  exchange.wire.head(200, [
    'Content-Type',
    'application/octet-stream',
    'Content-Length',
    length,
    'X-Request-Id',
    exchange.id,
  ]);
  exchange.wire.end(keyAuthorization, undefined);
}

function redirect(exchange: Exchange, httpsPort: number): void {
  const { path, query } = exchange.target;
  const port = httpsPort === 443 ? '' : `:${httpsPort}`;
  const location = `https://${exchange.host}${port}${path}${query === undefined ? '' : `?${query}`}`;
  exchange.wire.head(308, ['Location', location, 'Content-Length', '0', 'X-Request-Id', exchange.id]);
  exchange.wire.end(undefined, undefined);
}

/** RFC 8555 §8.3. */
const CHALLENGE = '/.well-known/acme-challenge/';

const HTTPS_REQUIRED = new Problem('https-required', {
  detail: 'Send the request again over HTTPS, and renew credentials that were in it.',
});
