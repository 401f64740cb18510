import type { StoredArtifact } from '../stores/artifacts.ts';
import type { Records } from '../stores/stores.ts';
import { grantRevoked } from './adapter.ts';
import type { GrantFacts, Grants } from './interaction-contract.ts';

/** The consents people gave, for the page where they take them back and for administrators. */
export function createGrants({ artifacts }: Pick<Records, 'artifacts'>): Grants {
  return {
    async listOf(userId) {
      const { items } = await artifacts.list({ model: 'Grant', accountId: userId }, { limit: 100 });
      return items.flatMap((grant) => factsOf(grant) ?? []);
    },
    async revoke(userId, grantId, actor) {
      const grant = await artifacts.find('Grant', grantId);
      if (grant?.accountId !== userId) return false;
      await artifacts.revokeGrant(grantId, [grantRevoked({ grantId, clientId: grant.clientId, actor })]);
      return true;
    },
  };
}

function factsOf({ grantId, clientId, payload, expiresAt }: StoredArtifact): GrantFacts | undefined {
  if (grantId === undefined || clientId === undefined) return undefined;
  const { openid, resources } = payload;
  const scopes = isRecord(openid) && typeof openid['scope'] === 'string' ? openid['scope'].split(' ') : [];
  const granted = isRecord(resources) ? Object.entries(resources) : [];
  const byAudience = granted.flatMap(([audience, scope]) =>
    typeof scope === 'string' ? [[audience, scope.split(' ')] as const] : [],
  );
  return { id: grantId, clientId, scopes, resources: Object.fromEntries(byAudience), expiresAt };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
