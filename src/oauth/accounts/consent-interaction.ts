import type { ClientMetadata, Grant, Provider } from 'oidc-provider';
import type { Screen } from '../interaction-contract.ts';
import { consentScreen } from '../screens/consent.ts';
import { formTarget } from '../screens/form-target.ts';
import { type Desk, userEvent } from './desk.ts';
import { TOKEN_FIELD } from './form-guard.ts';
import { rightsOf } from './rights.ts';
import { showScreen, type Visit } from './visit.ts';

/** What is asked of somebody who is signed in. */
export type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

export async function showConsent(desk: Desk, visit: Visit, asked: Consent): Promise<void> {
  showScreen(visit, await consentPage(desk, visit, asked));
}

/** An interaction, the client it is for and the account that is signed in. */
export interface Consent {
  readonly interaction: Interaction;
  readonly client: ClientMetadata;
  readonly userId: string;
  readonly scope: string;
}

async function consentPage(desk: Desk, visit: Visit, { interaction, client, userId, scope }: Consent): Promise<Screen> {
  const { parts, places } = desk;
  const missing = missingOf(interaction);
  const grant = interaction.grantId === undefined ? undefined : await parts.provider.Grant.find(interaction.grantId);
  const user = await parts.records.users.find(userId);
  const redirectUri = interaction.deviceCode === undefined ? textOf(interaction.params['redirect_uri']) : undefined;
  return consentScreen(desk.look, {
    form: {
      action: places.interaction(interaction.uid),
      fields: { [TOKEN_FIELD]: desk.guard.token(visit.browser, scope) },
    },
    client: parts.describeClient(client),
    username: user?.username ?? userId,
    destination: redirectUri === undefined ? undefined : destinationOf(redirectUri),
    asked: rightsOf(parts, missing),
    held: grant === undefined ? [] : rightsOf(parts, heldBy(grant)),
    formTargets: targetsOf(redirectUri),
  });
}

/** Writes down what was allowed and goes on. What is stored is what the page showed: both come from the interaction. */
export async function allow(desk: Desk, visit: Visit, { interaction, client, userId }: Consent): Promise<void> {
  const { provider, report } = desk.parts;
  const missing = missingOf(interaction);
  const known = interaction.grantId === undefined ? undefined : await provider.Grant.find(interaction.grantId);
  const grant = known ?? new provider.Grant({ accountId: userId, clientId: client.client_id });
  if (missing.scopes.length > 0) grant.addOIDCScope(missing.scopes.join(' '));
  if (missing.claims.length > 0) grant.addOIDCClaims([...missing.claims]);
  for (const [audience, scopes] of Object.entries(missing.resources))
    grant.addResourceScope(audience, scopes.join(' '));
  const grantId = await grant.save();
  const scopes = [...new Set([...missing.scopes, ...Object.values(missing.resources).flat()])];
  const detail = { client: client.client_id, scopes, grant: grantId };
  report(userEvent(visit, { type: 'user.consented', userId, byUser: true, detail }));
  await provider.interactionFinished(visit.req, visit.res, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

export async function deny(desk: Desk, visit: Visit): Promise<void> {
  const result = { error: 'access_denied', error_description: 'the person did not allow it' };
  await desk.parts.provider.interactionFinished(visit.req, visit.res, result, { mergeWithLastSubmission: false });
}

/** Where the answer to an interaction may send the browser after one of our forms. */
export function targetsOf(redirectUri: string | undefined): readonly string[] {
  const target = redirectUri === undefined ? undefined : formTarget(redirectUri);
  return target === undefined ? [] : [target];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The host is what people can judge; an app's own scheme stands for itself. */
function destinationOf(uri: string): string {
  const url = new URL(uri);
  return url.host === '' ? `the app that opens ${url.protocol} links` : url.host;
}

interface Missing {
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  readonly resources: Readonly<Record<string, readonly string[]>>;
}

/** The details of the consent prompt are data that oidc-provider wrote, in a type that does not say so. */
function missingOf({ prompt: { details } }: Interaction): Missing {
  const resources = details['missingResourceScopes'];
  const byAudience = typeof resources === 'object' && resources !== null ? Object.entries(resources) : [];
  return {
    scopes: texts(details['missingOIDCScope']),
    claims: texts(details['missingOIDCClaims']),
    resources: Object.fromEntries(byAudience.map(([audience, scopes]) => [audience, texts(scopes)])),
  };
}

function heldBy(grant: Grant): Missing {
  const resources = Object.entries(grant.resources ?? {}).map(
    ([audience, scope]) => [audience, scope.split(' ')] as const,
  );
  return {
    scopes: grant
      .getOIDCScope()
      .split(' ')
      .filter((scope) => scope !== ''),
    claims: [],
    resources: Object.fromEntries(resources),
  };
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
