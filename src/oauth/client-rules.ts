import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { grantTypes } from '../identity/client-request.ts';
import { isNativeRedirectUri, redirectUriFault } from '../identity/redirect-uri.ts';
import { SOURCE } from './client-adapter.ts';

/** Rules for every client, however it came: stored, registering itself, or a document at its client_id. Throws where one is broken. */
export function checkMetadata(
  ctx: KoaContextWithOIDC | undefined,
  _key: string,
  value: unknown,
  metadata: Record<string, unknown>,
): void {
  const itself = ctx !== undefined || /^https:/i.test(String(metadata['client_id']));
  metadata[SOURCE] = itself || typeof value !== 'string' ? 'registered' : value;
  const uris = listOf(metadata['redirect_uris']);
  for (const [field, list] of [
    ['redirect_uris', uris],
    ['post_logout_redirect_uris', listOf(metadata['post_logout_redirect_uris'])],
  ] as const) {
    if (list.length > 50) throw new errors.InvalidClientMetadata(`${field} has more than 50 members`);
    for (const uri of list) {
      const fault = redirectUriFault(uri);
      if (fault !== undefined) throw new errors.InvalidClientMetadata(`${field} has a member that ${fault}`);
    }
  }
  const publicClient = metadata['token_endpoint_auth_method'] === 'none';
  if (publicClient && uris.length > 0 && uris.every(isNativeRedirectUri)) metadata['application_type'] = 'native';
  // Whoever may register could otherwise give itself every scope without asking anybody.
  if (metadata[SOURCE] === 'registered' && listOf(metadata['grant_types']).includes(grantTypes[2])) {
    throw new errors.InvalidClientMetadata('grant_types has client_credentials, which only an administrator can give');
  }
}

/** A proof that is valid for long would have to be remembered as long, lest it be used again. */
export function assertShortLived(_ctx: KoaContextWithOIDC, claims: { exp?: unknown }): void {
  const { exp } = claims;
  if (typeof exp !== 'number' || exp > Date.now() / 1000 + 3600) {
    throw new errors.InvalidClientAuth('the assertion is valid for more than an hour');
  }
}

/** Pages at the origin of a public client's redirect URI may call the endpoints from scripts; nobody else's may. */
export function isOriginOfClient(_ctx: KoaContextWithOIDC, origin: string, client: Client): boolean {
  if (origin === 'null' || client.clientAuthMethod !== 'none') return false;
  return client.redirectUris?.some((uri) => URL.parse(uri)?.origin === origin) === true;
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((member) => typeof member === 'string') : [];
}
