import { z } from 'zod';
import { Problem } from '../errors/problem.ts';
import type { Exchange } from '../exchange.ts';
import { actorNameOf } from '../identity/actor-name.ts';
import { definePolicy, type PolicyDefinition } from '../policies/policy.ts';

const nothing = z.strictObject({}).describe('No options: only the gateway itself uses it.');

/**
 * Shows the authorization server the client's certificate (RFC 9440), verified or not: it decides itself which client may use
 * it (RFC 8705). Clients cannot send the field, since its name is a reserved one.
 */
export const presentCertificatePolicy = definePolicy({
  name: 'presentCertificate',
  phase: 'prepare',
  config: nothing,
  onByDefault: () => true,
  compile() {
    function presentCertificate(exchange: Exchange): undefined {
      const certificate = exchange.tls?.clientCertificate;
      if (certificate === undefined) return;
      const { raw, verified } = certificate;
      exchange.upstreamHeaders.set.append('Client-Cert', `:${Buffer.from(raw).toString('base64')}:`);
      exchange.upstreamHeaders.set.append('X-Client-Cert-Verified', verified ? '?1' : '?0');
    }
    return { request: presentCertificate };
  },
});

/** Tells the admin API who acts, in the words of the audit log, and with which of its scopes. */
export const nameActorPolicy = definePolicy({
  name: 'nameActor',
  phase: 'prepare',
  needs: ['principal'],
  config: nothing,
  onByDefault: () => true,
  compile() {
    function nameActor(exchange: Exchange): undefined {
      if (exchange.principal === undefined) throw new Error('the admin API was reached without a principal');
      const { method, scopes } = exchange.principal;
      exchange.upstreamHeaders.set.append('X-Sallyport-Actor', actorNameOf(exchange.principal));
      // Who is on a list of certificates has been chosen by hand: there are no scopes to ask for.
      const granted = method === 'clientCertificate' ? ['admin'] : scopes.filter((scope) => ADMIN_SCOPES.has(scope));
      exchange.upstreamHeaders.set.append('X-Sallyport-Scopes', granted.join(' '));
    }
    return { request: nameActor };
  },
});

/**
 * Lets in, of those who act through an OAuth client, the listed clients. Keys and certificates have no client: whose are good
 * here was chosen when they were made or listed.
 */
export function allowClientsPolicy(clients: readonly string[]): PolicyDefinition {
  const listed = new Set(clients);
  return definePolicy({
    name: 'allowClients',
    phase: 'authorize',
    needs: ['principal'],
    config: nothing,
    onByDefault: () => true,
    compile(_config, { api, route, identity }) {
      function allowClients({ principal, clientAddress }: Exchange): Problem | undefined {
        if (principal === undefined) throw new Error('the admin API was reached without a principal');
        const { method, clientId } = principal;
        if (method === 'apiKey' || method === 'clientCertificate') return undefined;
        if (clientId !== undefined && listed.has(clientId)) return undefined;
        const problem = new Problem('forbidden', { internal: 'admin: the client is not among allowedClients' });
        identity.reports.audit({
          type: 'request.refused',
          actor: actorNameOf(principal),
          subject: '',
          address: clientAddress,
          detail: { api, route, code: problem.code, reason: problem.internal ?? problem.code },
        });
        return problem;
      }
      return { request: allowClients };
    },
  });
}

const ADMIN_SCOPES: ReadonlySet<string> = new Set(['admin', 'admin:read', 'admin:write']);
