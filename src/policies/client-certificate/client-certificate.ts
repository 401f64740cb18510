import { Problem } from '../../errors/problem.ts';
import type { ClientCertificate, Exchange, Principal } from '../../exchange.ts';
import { type AuthenticationOutcome, defineMethod } from '../authentication-method.ts';
import { mayBeForgedByPage } from '../same-origin.ts';
import { clientCertificateConfig } from './config.ts';
import { isListed, principalOf } from './logic.ts';

/** Partners and machines, by the certificate of their TLS connection. */
export const clientCertificateMethod = defineMethod({
  name: 'clientCertificate',
  config: clientCertificateConfig,
  compile(config) {
    const rules = {
      subjects: config.subjects === undefined ? undefined : new Set(config.subjects),
      fingerprints: config.fingerprints === undefined ? undefined : new Set(config.fingerprints),
    };
    // One object a connection: what it says is worked out once for all its requests.
    const judged = new WeakMap<ClientCertificate, Principal | 'not-listed'>();

    /**
     * One that was not verified proves no name: it is as if there were none. So is one that is not listed: it belongs to the connection
     * and may be there for another alternative, such as a token that is bound to it (RFC 8705). And so is one that a browser added to
     * what a page of another site sent: a credential which that page had to have itself may still do.
     */
    function authenticate(exchange: Exchange): AuthenticationOutcome {
      const principal = callerOf(exchange);
      return principal === undefined || isForged(exchange) ? undefined : principal;
    }

    /** Told before any invitation or challenge: another try with the same certificate would end the same. */
    function unclaimed(exchange: Exchange): Problem | undefined {
      return callerOf(exchange) === undefined || !isForged(exchange) ? undefined : FORGED;
    }

    function callerOf(exchange: Exchange): Principal | undefined {
      const certificate = verifiedOf(exchange);
      if (certificate === undefined) return undefined;
      const outcome = judged.get(certificate) ?? judge(certificate);
      return outcome === 'not-listed' ? undefined : outcome;
    }

    function judge(certificate: ClientCertificate): Principal | 'not-listed' {
      const outcome = isListed(certificate, rules) ? principalOf(certificate) : 'not-listed';
      judged.set(certificate, outcome);
      return outcome;
    }

    return {
      authenticate,
      challenge: () => undefined,
      unclaimed,
      forbid: (exchange) => (verifiedOf(exchange) === undefined ? NO_CERTIFICATE : NOT_LISTED),
    };
  },
});

function verifiedOf(exchange: Exchange): ClientCertificate | undefined {
  const certificate = exchange.tls?.clientCertificate;
  return certificate?.verified === true ? certificate : undefined;
}

function isForged(exchange: Exchange): boolean {
  return mayBeForgedByPage({
    method: exchange.method,
    headers: exchange.headers,
    target: `${exchange.scheme}://${exchange.authority}`,
    upgrade: exchange.upgrade !== undefined,
  });
}

const FORGED = new Problem('cross-site-request', {
  detail: 'A client certificate counts for requests of the same origin only.',
});

const NO_CERTIFICATE = new Problem('certificate-required');

const NOT_LISTED = new Problem('forbidden', {
  detail: 'This client certificate does not open this API.',
  internal: 'client certificate: not on the list',
});
