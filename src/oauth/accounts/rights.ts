import type { InteractionParts } from '../interaction-contract.ts';
import type { Right } from '../screens/consent.ts';

/** Scopes in words; those of OpenID Connect have ours unless the configuration has others. */
export function rightsOf(
  parts: Pick<InteractionParts, 'scopes' | 'resources'>,
  granted: {
    readonly scopes: readonly string[];
    readonly claims?: readonly string[];
    readonly resources: Readonly<Record<string, readonly string[]>>;
  },
): readonly Right[] {
  const text = (scope: string): string => described(parts.scopes, scope) ?? described(STANDARD, scope) ?? scope;
  const own = granted.scopes.map((scope) => ({ scope, text: text(scope), at: undefined }));
  const claims = (granted.claims ?? []).map((claim) => ({
    scope: claim,
    text: `See your ${claim.replaceAll('_', ' ')}`,
    at: undefined,
  }));
  const others = Object.entries(granted.resources).flatMap(([audience, scopes]) => {
    const at = parts.resources.find((resource) => resource.audience === audience)?.name ?? audience;
    return scopes.map((scope) => ({ scope, text: text(scope), at }));
  });
  return [...own, ...claims, ...others];
}

function described(scopes: Readonly<Record<string, string>>, scope: string): string | undefined {
  return Object.hasOwn(scopes, scope) ? scopes[scope] : undefined;
}

const STANDARD: Readonly<Record<string, string>> = {
  openid: 'Know who you are, by an identifier',
  profile: 'See your profile, such as your name',
  email: 'See your e-mail address',
  address: 'See your postal address',
  phone: 'See your phone number',
  offline_access: 'Keep its access while you are away',
};
