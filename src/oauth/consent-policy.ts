import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';

/**
 * When a person is asked: to sign in and to consent as oidc-provider has it, except that scopes of an API are asked for at that
 * API alone and not a second time as scopes of OpenID Connect.
 */
export function consentPolicy(): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base();
  const consent = policy.get('consent');
  if (consent === undefined) throw new Error('the policy of oidc-provider has no consent any more');
  consent.checks.remove('op_scopes_missing');
  consent.checks.add(
    new interactionPolicy.Check(
      'op_scopes_missing',
      'requested scopes not granted',
      (ctx) =>
        missingScopes(ctx).length > 0
          ? interactionPolicy.Check.REQUEST_PROMPT
          : interactionPolicy.Check.NO_NEED_TO_PROMPT,
      (ctx) => ({ missingOIDCScope: missingScopes(ctx) }),
    ),
    1,
  );
  return policy;
}

function missingScopes({ oidc }: KoaContextWithOIDC): readonly string[] {
  const encountered = new Set(oidc.grant?.getOIDCScopeEncountered().split(' '));
  const elsewhere = new Set(Object.values(oidc.resourceServers ?? {}).flatMap((server) => [...server.scopes]));
  return [...oidc.requestParamOIDCScopes].filter((scope) => !encountered.has(scope) && !elsewhere.has(scope));
}
