import type { IdentityServices } from '../identity/services.ts';
import type { CompileContext } from '../policies/policy.ts';
import type { GatewayConfig } from './schema.ts';

/** What the context of every route has from the file and the process as a whole, and not from its place. */
export function callerFacts(
  config: Pick<GatewayConfig, 'authorizationServer' | 'logins'>,
  identity: IdentityServices,
): Pick<CompileContext, 'ownIssuer' | 'logins' | 'identity'> {
  const ownIssuer = config.authorizationServer?.issuer;
  const logins = Object.fromEntries(
    Object.entries(config.logins).map(([name, { path, issuer = ownIssuer ?? '', clientId }]) => [
      name,
      { path, issuer, clientId },
    ]),
  );
  return { ownIssuer, logins, identity };
}
