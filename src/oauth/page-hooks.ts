import type { Client, ClientMetadata, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { SOURCE } from './client-adapter.ts';
import type { ClientFacts, PreparedForm, Screen, Screens, UserCodeInputFacts } from './interaction-contract.ts';
import { addressOf } from './options.ts';
import { formTarget } from './screens/form-target.ts';

type Features = NonNullable<Configuration['features']>;

export interface PageHooks {
  readonly errors: Pick<Configuration, 'renderError'>;
  readonly deviceFlow: Omit<NonNullable<Features['deviceFlow']>, 'enabled'>;
  readonly logout: Omit<NonNullable<Features['rpInitiatedLogout']>, 'enabled'>;
}

/** Our screens in the places where oidc-provider shows pages of its own. */
export function pageHooks({ screens }: { readonly screens: Screens }): PageHooks {
  return {
    errors: {
      renderError(ctx, out) {
        show(
          ctx,
          screens.renderError({
            error: out.error,
            description: out.error_description,
            status: ctx.status,
            requestId: ctx.get('x-request-id') || undefined,
          }),
        );
      },
    },
    deviceFlow: {
      charset: 'base-20',
      mask: '****-****',
      deviceInfo: (ctx) => ({
        address: addressOf(ctx.req),
        userAgent: ctx.get('user-agent').slice(0, 300) || undefined,
      }),
      userCodeInputSource(ctx, _form, _out, error) {
        const typed = ctx.oidc.params?.['user_code'];
        const form = preparedForm(ctx, 'code_verification', {});
        show(ctx, screens.userCodeInput({ form, problem: problemOf(error), userCode: textOf(typed) }));
      },
      userCodeConfirmSource(ctx, _form, client, device, userCode) {
        const form = preparedForm(ctx, 'code_verification', { user_code: userCode, confirm: 'yes' });
        const asked = { address: textOf(device['address']), userAgent: textOf(device['userAgent']) };
        show(ctx, screens.userCodeConfirm({ form, client: describeClient(client), userCode, device: asked }));
      },
      successSource(ctx) {
        const { client } = ctx.oidc;
        if (client !== undefined) show(ctx, screens.deviceSuccess({ client: describeClient(client) }));
      },
    },
    logout: {
      logoutSource(ctx) {
        const { client, session } = ctx.oidc;
        const target = textOf(session?.state?.['postLogoutRedirectUri']);
        show(
          ctx,
          screens.logout({
            form: preparedForm(ctx, 'end_session_confirm', {}),
            client: client === undefined ? undefined : describeClient(client),
            redirectOrigin: target === undefined ? undefined : formTarget(target),
          }),
        );
      },
      postLogoutSuccessSource(ctx) {
        const { client } = ctx.oidc;
        show(ctx, screens.postLogout({ client: client === undefined ? undefined : describeClient(client) }));
      },
    },
  };
}

/** What a person is told of a client, in its own words but for where they come from. */
export function describeClient(client: Client | ClientMetadata): ClientFacts {
  const metadata: ClientMetadata = isInstance(client) ? client.metadata() : client;
  return {
    id: metadata.client_id,
    name: shownName(metadata.client_name ?? '') || metadata.client_id,
    uri: metadata.client_uri,
    logoUri: metadata.logo_uri,
    policyUri: metadata.policy_uri,
    tosUri: metadata.tos_uri,
    selfRegistered: metadata[SOURCE] !== 'config' && metadata[SOURCE] !== 'admin',
  };
}

/** A name cannot push the page's own words away, nor turn their direction or hide characters in it (Unicode TR 36). */
function shownName(name: string): string {
  const plain = name.normalize('NFC').replaceAll(/\s/gu, ' ').replaceAll(/\p{C}/gu, '').replaceAll(/ +/g, ' ').trim();
  return [...plain].slice(0, LONGEST_NAME).join('');
}

/** Characters, as many as the admin API lets a name have. */
const LONGEST_NAME = 100;

function isInstance(client: Client | ClientMetadata): client is Client {
  return typeof client['metadata'] === 'function';
}

function show(ctx: KoaContextWithOIDC, screen: Screen): void {
  ctx.type = 'text/html; charset=utf-8';
  ctx.set({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...screen.headers });
  ctx.body = screen.html;
}

/** The token against forged submissions is in the session, where oidc-provider put it for the form it would have written. */
function preparedForm(ctx: KoaContextWithOIDC, route: string, fields: Readonly<Record<string, string>>): PreparedForm {
  const xsrf = textOf(ctx.oidc.session?.state?.['secret']) ?? '';
  return { action: ctx.oidc.urlFor(route), fields: { xsrf, ...fields } };
}

function problemOf(error: Error | undefined): UserCodeInputFacts['problem'] {
  if (error === undefined) return undefined;
  return problems[error.name] ?? 'failed';
}

const problems: Readonly<Record<string, UserCodeInputFacts['problem']>> = {
  NoCodeError: 'unknown-code',
  NotFoundError: 'unknown-code',
  ExpiredError: 'expired-code',
  AlreadyUsedError: 'used-code',
  AbortedError: 'aborted',
};

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
