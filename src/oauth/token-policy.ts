import { hash } from 'node:crypto';
import {
  type AccessToken,
  type Client,
  type ClientCredentials,
  errors,
  type KoaContextWithOIDC,
  type RefreshToken,
} from 'oidc-provider';
import { SOURCE } from './client-adapter.ts';
import type { Accounts } from './interaction-contract.ts';
import type { JwtTokens } from './jwt-tokens.ts';

type Token = AccessToken | ClientCredentials | RefreshToken;

/** Who may ask about a token, and who may end it. */
export interface TokenPolicy {
  /** Also false where its client or its account is gone or disabled: it is then told to be inactive. */
  mayIntrospect(ctx: KoaContextWithOIDC, client: Client, token: Token): Promise<boolean>;
  /** Records the end of an access token, which oidc-provider then removes: of its hooks, it alone is waited for. */
  revoke(ctx: KoaContextWithOIDC, client: Client, token: Token): Promise<boolean>;
  /** Whether what a request has fetched is the metadata of a client whose token the server of an API asks about. */
  isLookingUp(ctx: KoaContextWithOIDC | undefined): boolean;
}

export function createTokenPolicy(parts: { readonly accounts: Accounts; readonly jwtTokens: JwtTokens }): TokenPolicy {
  const { accounts, jwtTokens } = parts;
  const lookingUp = new WeakSet<object>();
  return {
    async mayIntrospect(ctx, client, token) {
      const own = token.clientId === client.clientId;
      // A stranger's token is shown to servers of APIs, which somebody here registered and which can prove who they are.
      const isServer =
        client.clientAuthMethod !== 'none' && (client[SOURCE] === 'config' || client[SOURCE] === 'admin');
      if (!own && !isServer) return false;
      if (!own && !(await isClientHere(ctx, token.clientId))) return false;
      const account = 'accountId' in token ? token.accountId : undefined;
      return account === undefined || (await accounts.claimsOf(account)) !== undefined;
    },
    async revoke(ctx, client, token) {
      if (token.clientId !== client.clientId) {
        // Without authentication a client is not told whether the token of another exists (RFC 7009 §2.1).
        if (client.clientAuthMethod === 'none') return false;
        throw new errors.InvalidRequest('the token was issued to another client');
      }
      if (token.kind === 'RefreshToken') return true;
      await jwtTokens.revoke({
        jti: token.jti === ctx.oidc.params?.['token'] ? opaqueTokenName(token.jti) : token.jti,
        exp: token.exp ?? 0,
        clientId: client.clientId,
        accountId: 'accountId' in token ? token.accountId : undefined,
        grantId: 'grantId' in token ? token.grantId : undefined,
        actor: `client:${client.clientId}`,
      });
      return true;
    },
    isLookingUp: (ctx) => ctx?.oidc !== undefined && lookingUp.has(ctx.oidc),
  };

  /** oidc-provider looks it up again where this says yes, and would take a failure for one of the server that asks. */
  async function isClientHere({ oidc }: KoaContextWithOIDC, id: string | undefined): Promise<boolean> {
    if (id === undefined) return false;
    lookingUp.add(oidc);
    try {
      return (await oidc.provider.Client.find(id)) !== undefined;
    } catch (error) {
      // Its metadata document cannot be had, or is no good any more.
      if (error instanceof errors.OIDCProviderError) return false;
      throw error;
    } finally {
      lookingUp.delete(oidc);
    }
  }
}

/** What an opaque token is called in the audit log: its `jti` is the token itself, so it is the SHA-256 of that. */
export function opaqueTokenName(token: string): string {
  return `sha256-${hash('sha256', token, 'base64url')}`;
}
