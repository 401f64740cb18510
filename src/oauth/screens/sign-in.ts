import type { ClientFacts, PreparedForm, Screen } from '../interaction-contract.ts';
import { type Html, html } from './html.ts';
import { type Look, page } from './page.ts';
import { form, invalidWhen, passkeyForm, problemNotice, registrationNotice } from './page-parts.ts';

export interface SignInFacts {
  readonly password: PreparedForm;
  /** `options` is the JSON that navigator.credentials.get wants; undefined where there can be no passkeys. */
  readonly passkey: { readonly form: PreparedForm; readonly options: string } | undefined;
  /** The form that goes back to the client with access_denied; undefined where there is nothing to go back to. */
  readonly cancel: PreparedForm | undefined;
  /** Undefined on the account page. */
  readonly client: ClientFacts | undefined;
  readonly username: string;
  readonly problem: string | undefined;
  readonly formTargets: readonly string[];
}

/** Name and password, or a passkey. */
export function signInScreen(look: Look, facts: SignInFacts): Screen {
  const invalid = invalidWhen(facts.problem);
  const body = html`<h1>Sign in</h1>
${whereTo(look, facts.client)}
${problemNotice(facts.problem)}
${form(
  facts.password,
  html`<div class="field"><label for="username">Username</label>
<input id="username" name="username" type="text" value="${facts.username}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="128" required${invalid}${facts.username === '' && html` autofocus`}></div>
<div class="field"><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="512" required${invalid}${facts.username !== '' && html` autofocus`}></div>
<button class="full">Sign in</button>`,
)}
${
  facts.passkey !== undefined &&
  html`<div data-passkey-part hidden><p class="or">or</p></div>
${passkeyForm(facts.passkey.form, { kind: 'get', options: facts.passkey.options, inside: html`<button class="second full">Sign in with a passkey</button>` })}`
}
${cancelForm(facts.cancel)}`;
  return page(look, { title: 'Sign in', body, passkeys: facts.passkey !== undefined, formTargets: facts.formTargets });
}

export interface UpstreamSignInFacts {
  /** What the provider is called. */
  readonly providerTitle: string;
  /** Leads to it by a plain link: redirects after a form are held to `form-action`, and nobody knows where the provider sends people. */
  readonly href: string;
  readonly cancel: PreparedForm | undefined;
  readonly client: ClientFacts | undefined;
  readonly problem: string | undefined;
  readonly formTargets: readonly string[];
}

/** Sign-in at another provider. */
export function upstreamSignInScreen(look: Look, facts: UpstreamSignInFacts): Screen {
  const body = html`<h1>Sign in</h1>
${whereTo(look, facts.client)}
${problemNotice(facts.problem)}
<p><a class="button full" href="${facts.href}">Continue with ${facts.providerTitle}</a></p>
${cancelForm(facts.cancel)}`;
  return page(look, { title: 'Sign in', body, formTargets: facts.formTargets });
}

function whereTo(look: Look, client: ClientFacts | undefined): Html {
  if (client === undefined) return html`<p class="quiet">to manage your account at ${look.title}</p>`;
  return html`<p class="quiet">to continue to <strong>${client.name}</strong></p>${registrationNotice(client)}`;
}

export function cancelForm(cancel: PreparedForm | undefined): Html {
  if (cancel === undefined) return html``;
  return html`<div class="centred">${form(cancel, html`<button class="link">Cancel and go back</button>`, { plain: true })}</div>`;
}
