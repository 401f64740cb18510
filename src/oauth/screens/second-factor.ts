import type { PreparedForm, Screen } from '../interaction-contract.ts';
import { html } from './html.ts';
import { type Look, page } from './page.ts';
import { form, invalidWhen, passkeyForm, problemNotice } from './page-parts.ts';
import { cancelForm } from './sign-in.ts';

export interface SecondFactorFacts {
  /** Undefined where the account has no authenticator app. */
  readonly totp: PreparedForm | undefined;
  /** Undefined where the account has no passkey. */
  readonly passkey: { readonly form: PreparedForm; readonly options: string } | undefined;
  readonly cancel: PreparedForm | undefined;
  readonly problem: string | undefined;
  readonly formTargets: readonly string[];
}

/** The second step, after the password was right. */
export function secondFactorScreen(look: Look, facts: SecondFactorFacts): Screen {
  const { totp, passkey } = facts;
  const body = html`<h1>Confirm that it is you</h1>
<p class="quiet">${totp === undefined ? 'Use the passkey of your account.' : 'Enter the six digits your authenticator app shows now.'}</p>
${problemNotice(facts.problem)}
${
  totp !== undefined &&
  form(
    totp,
    html`<div class="field"><label for="code">Code</label>
<input id="code" name="code" class="code" type="text" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]*" maxlength="10" required autofocus${invalidWhen(facts.problem)}></div>
<button class="full">Confirm</button>`,
  )
}
${totp !== undefined && passkey !== undefined && html`<div data-passkey-part hidden><p class="or">or</p></div>`}
${
  passkey !== undefined &&
  passkeyForm(passkey.form, {
    kind: 'get',
    options: passkey.options,
    inside: html`<button class="${totp === undefined ? 'full' : 'second full'}">Use a passkey</button>`,
  })
}
${totp === undefined && html`<noscript><p class="notice bad">Passkeys need JavaScript, which is off in this browser.</p></noscript>`}
<p class="small quiet centred">Lost it? An administrator can let you in again.</p>
${cancelForm(facts.cancel)}`;
  return page(look, {
    title: 'Confirm that it is you',
    body,
    passkeys: passkey !== undefined,
    formTargets: facts.formTargets,
  });
}
