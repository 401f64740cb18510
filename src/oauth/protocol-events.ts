import type { EventEmitter } from 'node:events';
import type { AccessToken, ClientCredentials, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { AuditEvent, AuditType } from '../stores/audit.ts';
import { StoreUnavailable } from '../stores/stores.ts';
import { addressOf } from './options.ts';
import { opaqueTokenName } from './token-policy.ts';

export interface EventSinks {
  report(event: AuditEvent): void;
  fault(error: unknown): void;
}

/** Tells the audit log what oidc-provider tells us. Changes of the store are told by whoever makes them, in their transaction. */
export function reportProtocolEvents(provider: Provider, { report, fault }: EventSinks): void {
  // An event of a token says whether it was stored, so opaque, or not, so a JWT.
  provider.on('access_token.issued', (token: AccessToken) => issued(token, token.jti));
  provider.on('access_token.saved', (token: AccessToken) => issued(token, opaqueTokenName(token.jti)));
  provider.on('client_credentials.issued', (token: ClientCredentials) => issued(token, token.jti));
  provider.on('client_credentials.saved', (token: ClientCredentials) => issued(token, opaqueTokenName(token.jti)));

  const app: EventEmitter = provider;
  for (const endpoint of AUTHENTICATING) {
    app.on(`${endpoint}.error`, (ctx: KoaContextWithOIDC, error: { error?: unknown }) => {
      if (error.error === 'invalid_client') refused(ctx, 'client.authentication-failed', { endpoint });
    });
  }
  provider.on('end_session.success', (ctx: KoaContextWithOIDC) => {
    const account = ctx.oidc.session?.accountId;
    if (account !== undefined)
      tell(ctx, { type: 'user.signed-out', actor: `user:${account}`, subject: `user:${account}` });
  });
  provider.on('backchannel.error', (_ctx: KoaContextWithOIDC, error: Error) => fault(error));
  provider.on('server_error', (ctx: KoaContextWithOIDC, error: Error) => {
    // The answer is written and not yet sent: where the store is away it says to try again.
    if (error instanceof StoreUnavailable) {
      ctx.status = 503;
      ctx.set('retry-after', '5');
    }
    fault(error);
  });
  // Koa's own, which would go to the console if nobody listened.
  app.on('error', fault);

  function issued(token: AccessToken | ClientCredentials, name: string): void {
    const { clientId = 'unknown', scope, aud, gty } = { gty: 'client_credentials', ...token };
    const facts = { scope, audience: typeof aud === 'string' ? aud : undefined, grant: gty };
    const account = 'accountId' in token ? token.accountId : undefined;
    const detail = textMembers({ ...facts, account });
    report({ type: 'token.issued', actor: `client:${clientId}`, subject: `token:${name}`, detail });
  }

  function refused(ctx: KoaContextWithOIDC, type: AuditType, detail: Record<string, string>): void {
    const id = ctx.oidc.client?.clientId;
    const subject = id === undefined ? '' : `client:${id}`;
    tell(ctx, { type, actor: 'anonymous', subject, detail });
  }

  function tell(ctx: KoaContextWithOIDC, event: AuditEvent): void {
    const requestId = ctx.get('x-request-id');
    report({ ...event, address: addressOf(ctx.req), ...(requestId === '' ? {} : { requestId }) });
  }
}

/** Endpoints that authenticate clients, by the names of their events. */
const AUTHENTICATING = [
  'grant',
  'introspection',
  'revocation',
  'pushed_authorization_request',
  'device_authorization',
] as const;

function textMembers(members: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
