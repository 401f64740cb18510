import type { Records } from '../stores/stores.ts';
import { grantRevoked } from './adapter.ts';
import type { JwtTokens } from './jwt-tokens.ts';

/** How administrators end what was issued. `actor` is as in the audit log. */
export interface Revocation {
  /** Ends one access token; `exp` in seconds since the epoch, as in the token. */
  token(token: { readonly jti: string; readonly exp: number }, actor: string): Promise<void>;
  /** Ends a grant with all its tokens; false where there is none. */
  grant(grantId: string, actor: string): Promise<boolean>;
  /** Ends every grant, session and token of a person or a client; resolves with how many grants there were. */
  everythingOf(owner: Owner, actor: string): Promise<number>;
}

export type Owner = { readonly accountId: string } | { readonly clientId: string };

export function createRevocation(parts: {
  readonly records: Pick<Records, 'artifacts'>;
  readonly jwtTokens: JwtTokens;
}): Revocation {
  const { artifacts } = parts.records;
  return {
    async token({ jti, exp }, actor) {
      await parts.jwtTokens.revoke({ jti, exp, clientId: undefined, accountId: undefined, grantId: undefined, actor });
    },
    grant: endGrant,
    async everythingOf(owner, actor) {
      let ended = 0;
      // Each grant with its event in one transaction: no token outlives the news of its end.
      for (;;) {
        const turn = await Promise.all((await grantsOf(owner)).map((grantId) => endGrant(grantId, actor)));
        const now = turn.filter(Boolean).length;
        if (now === 0) break;
        ended += now;
      }
      await artifacts.revokeAll(owner, []);
      return ended;
    },
  };

  async function grantsOf(owner: Owner): Promise<readonly string[]> {
    const { items } = await artifacts.list({ model: 'Grant', ...owner }, { limit: 100 });
    return items.flatMap(({ grantId }) => grantId ?? []);
  }

  async function endGrant(grantId: string, actor: string): Promise<boolean> {
    const grant = await artifacts.find('Grant', grantId);
    if (grant === undefined) return false;
    await artifacts.revokeGrant(grantId, [grantRevoked({ grantId, clientId: grant.clientId, actor })]);
    return true;
  }
}
