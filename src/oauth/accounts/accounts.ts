import type { Records } from '../../stores/stores.ts';
import type { Accounts } from '../interaction-contract.ts';

/** What tokens and userinfo say of people. */
export function createAccounts({ users }: Pick<Records, 'users'>): Accounts {
  return {
    async claimsOf(userId) {
      const user = await users.find(userId);
      if (user === undefined || user.disabled) return undefined;
      const { sub: _, ...claims } = user.claims;
      // Last, since what a provider calls somebody may be the username of somebody else here.
      return { ...claims, preferred_username: user.username, updated_at: Math.floor(user.updatedAt / 1000) };
    },
  };
}
