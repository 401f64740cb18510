import { z } from 'zod';
import { type Exchange, Reply } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { definePolicy, type PolicyDefinition } from '../policy.ts';
import { audiencesOf, type OauthConfig } from './config.ts';

export { resourceMetadataPath } from '../../identity/token-challenge.ts';

/** What the document of an API is made of. */
export interface ProtectedResource {
  readonly name: string;
  /** The path prefix of the API. */
  readonly path: string;
  readonly alternatives: readonly Pick<OauthConfig, 'issuer' | 'audience' | 'algorithms' | 'senderConstrained'>[];
  readonly ownIssuer: string | undefined;
  readonly scopes: readonly string[];
}

/**
 * The metadata of a protected resource (RFC 9728 §2). `resource` is what clients ask a token for: the audience, where it is the
 * URL the document was asked for; else that URL, which the client compares with the one it called (§3.3).
 */
function resourceMetadata(resource: ProtectedResource, origin: string): Readonly<Record<string, unknown>> {
  const { alternatives, ownIssuer, name, path, scopes } = resource;
  const issuers = alternatives.map(({ issuer }) => issuer ?? ownIssuer).filter((issuer) => issuer !== undefined);
  const audiences = alternatives.flatMap(audiencesOf);
  const url = `${origin}${path === '/' ? '' : path}`;
  const constrained = alternatives.every(({ senderConstrained }) => senderConstrained === 'require');
  return {
    resource: audiences.find((audience) => audience === url || audience === `${url}/`) ?? audiences[0] ?? url,
    authorization_servers: [...new Set(issuers)],
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    bearer_methods_supported: ['header'],
    resource_name: name,
    dpop_signing_alg_values_supported: [...new Set(alternatives.flatMap(({ algorithms }) => algorithms))],
    ...(constrained ? { dpop_bound_access_tokens_required: true } : {}),
    tls_client_certificate_bound_access_tokens: true,
  };
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
