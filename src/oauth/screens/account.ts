import type { PreparedForm, Screen } from '../interaction-contract.ts';
import { type Html, html } from './html.ts';
import { type Look, page } from './page.ts';
import { doneNotice, form, passkeyForm, problemNotice } from './page-parts.ts';

export interface AccountFacts {
  readonly username: string;
  readonly done: string | undefined;
  readonly problem: string | undefined;
  readonly signOut: PreparedForm;
  /** Where the person came from, on this host. */
  readonly back: string | undefined;
  /** Undefined where the account has no password. */
  readonly password: PreparedForm | undefined;
  /** Undefined where people sign in elsewhere. */
  readonly factors: FactorFacts | undefined;
  readonly apps: readonly AppFacts[];
  readonly sessions: readonly SessionFacts[];
  readonly endAll: PreparedForm;
}

export interface FactorFacts {
  readonly totp:
    | { readonly on: true; readonly remove: PreparedForm }
    | { readonly on: false; readonly secret: string; readonly uri: string; readonly confirm: PreparedForm };
  readonly passkeys: readonly PasskeyFacts[];
  /** Undefined where there can be none, or no more. */
  readonly add: { readonly form: PreparedForm; readonly options: string } | undefined;
}

export interface PasskeyFacts {
  readonly name: string;
  /** As people write it, such as 24 November 2026. */
  readonly since: string;
  readonly remove: PreparedForm;
}

export interface AppFacts {
  readonly name: string;
  readonly rights: readonly string[];
  readonly revoke: PreparedForm;
}

export interface SessionFacts {
  readonly since: string;
  readonly apps: number;
  readonly end: PreparedForm;
}

/** What people keep in order themselves. */
export function accountScreen(look: Look, facts: AccountFacts): Screen {
  const body = html`<div class="head"><div><h1>Your account</h1><p class="quiet">Signed in as <strong>${facts.username}</strong></p></div>
${form(facts.signOut, html`<button class="second slight">Sign out</button>`, { plain: true })}</div>
${doneNotice(facts.done)}
${problemNotice(facts.problem)}
${facts.back !== undefined && html`<p><a href="${facts.back}">Back to where you came from</a></p>`}
${facts.password !== undefined && passwordSection(facts.password, facts.username)}
${facts.factors !== undefined && html`${totpSection(facts.factors)}${passkeySection(facts.factors)}`}
${appSection(facts.apps)}
${sessionSection(facts)}`;
  const passkeys = facts.factors?.add !== undefined;
  return page(look, { title: 'Your account', body, wide: true, passkeys });
}

function passwordSection(prepared: PreparedForm, username: string): Html {
  return html`<section aria-labelledby="password-head"><h2 id="password-head">Password</h2>
<details><summary>Change the password</summary>
${form(
  prepared,
  html`<input type="text" name="username" value="${username}" autocomplete="username" hidden>
<div class="field"><label for="current">Present password</label>
<input id="current" name="current" type="password" autocomplete="current-password" maxlength="512" required></div>
<div class="field"><label for="new">New password</label>
<input id="new" name="new" type="password" autocomplete="new-password" minlength="12" maxlength="256" required aria-describedby="new-hint">
<span class="hint" id="new-hint">12 characters or more. A few words in a row are easy to remember.</span></div>
<label class="check"><input type="checkbox" name="everywhere" value="yes" checked><span>Sign out everywhere and take back the access of all apps</span></label>
<button>Change the password</button>`,
)}</details></section>`;
}

function totpSection({ totp }: FactorFacts): Html {
  const head = html`<h2 id="totp-head">Authenticator app</h2>`;
  if (totp.on) {
    return html`<section aria-labelledby="totp-head">${head}
<ul class="rows"><li><span class="what">A code is asked for after the password.</span>${form(totp.remove, html`<button class="second slight">Remove</button>`, { plain: true })}</li></ul></section>`;
  }
  return html`<section aria-labelledby="totp-head">${head}<p class="quiet">Codes from an app on your phone, asked for after the password.</p>
<details><summary>Set up an authenticator app</summary>
<ol><li>In the app, add an account by hand and type the key below; or <a href="${totp.uri}">open the app</a> if it is on this device.</li><li>Enter the code that it shows.</li></ol>
<p class="codeline long">${totp.secret.replaceAll(/(.{4})(?=.)/g, '$1 ')}</p>
${form(
  totp.confirm,
  html`<div class="field"><label for="totp-code">Code</label>
<input id="totp-code" name="code" class="code" type="text" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]*" maxlength="10" required></div>
<button>Turn on</button>`,
)}</details></section>`;
}

function passkeySection({ passkeys, add }: FactorFacts): Html {
  if (add === undefined && passkeys.length === 0) return html``;
  return html`<section aria-labelledby="passkey-head"><h2 id="passkey-head">Passkeys</h2>
<p class="quiet">Sign in with the lock of your device instead of a password. They cannot be phished.</p>
${
  passkeys.length > 0 &&
  html`<ul class="rows">${passkeys.map(
    (one) =>
      html`<li><span class="what"><strong>${one.name}</strong> <span class="quiet small">since ${one.since}</span></span>${form(one.remove, html`<button class="second slight" aria-label="Remove the passkey ${one.name}">Remove</button>`, { plain: true })}</li>`,
  )}</ul>`
}
${
  add !== undefined &&
  html`${passkeyForm(add.form, {
    kind: 'create',
    options: add.options,
    inside: html`<div class="field"><label for="passkey-name">Name of the new passkey</label>
<input id="passkey-name" name="name" type="text" maxlength="64" value="My device" required></div><button class="second">Add a passkey</button>`,
  })}<noscript><p class="quiet small">Adding one needs JavaScript.</p></noscript>`
}</section>`;
}

function appSection(apps: readonly AppFacts[]): Html {
  return html`<section aria-labelledby="apps-head"><h2 id="apps-head">Apps with access</h2>
${apps.length === 0 && html`<p class="quiet">No app has access to your account.</p>`}
${
  apps.length > 0 &&
  html`<ul class="rows">${apps.map(
    (app) =>
      html`<li><span class="what"><strong>${app.name}</strong><span class="hint">${app.rights.join(' · ')}</span></span>${form(app.revoke, html`<button class="second slight" aria-label="Remove the access of ${app.name}">Remove</button>`, { plain: true })}</li>`,
  )}</ul>`
}</section>`;
}

function sessionSection({ sessions, endAll }: AccountFacts): Html {
  return html`<section aria-labelledby="sessions-head"><h2 id="sessions-head">Signed-in browsers</h2>
${sessions.length === 0 && html`<p class="quiet">No browser is signed in to an app through this account.</p>`}
${
  sessions.length > 0 &&
  html`<ul class="rows">${sessions.map(
    (one) =>
      html`<li><span class="what">Signed in ${one.since}<span class="hint">${one.apps} ${one.apps === 1 ? 'app' : 'apps'}</span></span>${form(one.end, html`<button class="second slight" aria-label="Sign out the browser that signed in ${one.since}">Sign out</button>`, { plain: true })}</li>`,
  )}</ul>`
}
${form(endAll, html`<button class="second slight">Sign out everywhere and remove all access</button>`, { plain: true })}</section>`;
}
