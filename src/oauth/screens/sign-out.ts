import type { ClientFacts, LogoutFacts, Screen } from '../interaction-contract.ts';
import { html } from './html.ts';
import { type Look, page } from './page.ts';
import { form } from './page-parts.ts';

export function logoutScreen(look: Look, facts: LogoutFacts): Screen {
  const target = facts.redirectOrigin;
  const body = html`<h1>Sign out?</h1>
<p class="quiet">${
    facts.client === undefined
      ? html`You are signed in at ${look.title}.`
      : html`<strong>${facts.client.name}</strong> asks to sign you out of ${look.title}.`
  } Signing out ends the session of this browser for every app.</p>
${form(facts.form, html`<div class="choices"><button class="second">Stay signed in</button><button name="logout" value="yes">Sign out</button></div>`)}`;
  return page(look, { title: 'Sign out?', body, formTargets: target === undefined ? [] : [target] });
}

export function postLogoutScreen(look: Look, facts: { readonly client: ClientFacts | undefined }): Screen {
  const body = html`<h1>${facts.client === undefined ? 'You are signed out' : html`You have left ${facts.client.name}`}</h1>
<p class="quiet">${facts.client === undefined ? 'You can close this page.' : html`You are still signed in at ${look.title}.`}</p>`;
  return page(look, { title: 'Signed out', body });
}
