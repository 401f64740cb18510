import { Problem } from '../../errors/problem.ts';
import type { ClientCertificate, Exchange, Principal } from '../../exchange.ts';
import { type AuthenticationOutcome, defineMethod } from '../authentication-method.ts';
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
    const judged = new WeakMap<ClientCertificate, Principal | Problem>();

    /** One that was not verified proves no name: it is as if there were none, since OAuth may use it all the same. */
    function authenticate(exchange: Exchange): AuthenticationOutcome {
      const certificate = exchange.tls?.clientCertificate;
      if (certificate === undefined || !certificate.verified) return undefined;
      const known = judged.get(certificate);
      if (known !== undefined) return known;
      const outcome = isListed(certificate, rules) ? principalOf(certificate) : NOT_LISTED;
      judged.set(certificate, outcome);
      return outcome;
    }

    return { authenticate, challenge: () => undefined };
  },
});

const NOT_LISTED = new Problem('forbidden', {
  detail: 'This client certificate does not open this API.',
  internal: 'client certificate: not on the list',
});
