import { z } from 'zod';
import { type Exchange, Reply } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { definePolicy, type PolicyDefinition } from '../policy.ts';
import { audiencesOf, isResource, type OauthConfig } from './config.ts';

export { resourceMetadataPath } from '../../identity/token-challenge.ts';

/** What the document of an API is made of. */
export interface ProtectedResource {
  readonly name: string;
  /** The path prefix of the API. */
  readonly path: string;
  readonly alternatives: readonly Pick<OauthConfig, 'issuer' | 'audience' | 'algorithms' | 'senderConstrained'>[];
  readonly ownIssuer: string | undefined;
  readonly scopes: readonly string[];
  /** Whether a listener that carries the API asks for client certificates, so that tokens can be bound to one. */
  readonly certificates: boolean;
}

/** The metadata of a protected resource (RFC 9728 §2). */
function resourceMetadata(resource: ProtectedResource, origin: string): Readonly<Record<string, unknown>> {
  const { alternatives, ownIssuer, name, path, scopes, certificates } = resource;
  const issuers = alternatives.map(({ issuer }) => issuer ?? ownIssuer).filter((issuer) => issuer !== undefined);
  const constrained = alternatives.every(({ senderConstrained }) => senderConstrained === 'require');
  return {
    resource: resourceOf(alternatives.flatMap(audiencesOf), `${origin}${path === '/' ? '' : path}`),
    authorization_servers: [...new Set(issuers)],
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    bearer_methods_supported: ['header'],
    resource_name: name,
    dpop_signing_alg_values_supported: [...new Set(alternatives.flatMap(({ algorithms }) => algorithms))],
    // Where certificates are asked for, a token that is bound to one will do as well.
    ...(constrained && !certificates ? { dpop_bound_access_tokens_required: true } : {}),
    ...(certificates ? { tls_client_certificate_bound_access_tokens: true } : {}),
  };
}

/**
 * What clients ask a token for: the audience that is the URL of the API, which §3.3 has them insist on. Where none is, one that can be
 * asked for: strict clients drop the document, while its URL would send all of them for tokens that this API refuses. Issuers of other
 * audiences are not asked by `resource`.
 */
function resourceOf(audiences: readonly string[], url: string): string {
  return [url, `${url}/`].find((form) => audiences.includes(form)) ?? audiences.find(isResource) ?? url;
}

/** Answers with the document. Only the gateway's own routes have it; it is made for the origin the client knows. */
export function resourceMetadataPolicy(resource: ProtectedResource): PolicyDefinition {
  return definePolicy({
    name: 'resourceMetadata',
    phase: 'serve',
    config: z.strictObject({}).describe('No options: only the gateway itself uses it.'),
    onByDefault: () => true,
    compile() {
      function serveMetadata({ scheme, authority }: Exchange): Reply {
        const body = JSON.stringify(resourceMetadata(resource, `${scheme}://${authority}`));
        // Public on purpose, for browser-based clients as well (RFC 9728 §3.2).
        const headers = [
          'Content-Type',
          'application/json',
          'Access-Control-Allow-Origin',
          '*',
          'Cache-Control',
          'max-age=300',
        ];
        return new Reply(200, new HeaderList(headers), body, 'gateway');
      }
      return { request: serveMetadata };
    },
  });
}
