import type { ClientFacts, PreparedForm, Screen } from '../interaction-contract.ts';
import { type Html, html } from './html.ts';
import { type Look, page } from './page.ts';
import { appHead, clientLinks, form, registrationNotice } from './page-parts.ts';

/** One thing a client may do. */
export interface Right {
  readonly scope: string;
  /** For people; the scope itself where nobody described it. */
  readonly text: string;
  /** The API it is for; undefined for what concerns the person alone. */
  readonly at: string | undefined;
}

export interface ConsentFacts {
  /** Buttons named `action`: `allow` or `deny`. */
  readonly form: PreparedForm;
  readonly client: ClientFacts;
  readonly username: string;
  /** Where the answer goes: the host of the redirect URI, the scheme of an app's; undefined for a device. */
  readonly destination: string | undefined;
  readonly asked: readonly Right[];
  /** What it was given before. */
  readonly held: readonly Right[];
  readonly formTargets: readonly string[];
}

/** Whether an app may do what it asks for. */
export function consentScreen(look: Look, facts: ConsentFacts): Screen {
  const { client } = facts;
  const title = `Allow ${client.name}?`;
  const body = html`${appHead(client, html`Allow ${client.name}?`)}
<p>You are signed in as <strong>${facts.username}</strong>. ${facts.asked.length === 0 ? 'This app asks to go on.' : 'This app asks to:'}</p>
${rights(facts.asked)}
${facts.held.length > 0 && html`<details${facts.asked.length === 0 && html` open`}><summary>What it may do already</summary>${rights(facts.held)}</details>`}
${registrationNotice(client)}
<p class="small quiet">${destination(facts.destination)} You can take this back on your <a href="${look.issuer}/account">account page</a>.</p>
${clientLinks(client)}
${form(facts.form, html`<div class="choices"><button class="second" name="action" value="deny">Deny</button><button name="action" value="allow">Allow</button></div>`)}`;
  return page(look, { title, body, formTargets: facts.formTargets });
}

function destination(place: string | undefined): Html {
  if (place === undefined) return html`The device that shows your code gets access.`;
  return html`The answer goes to <strong>${place}</strong>.`;
}

function rights(list: readonly Right[]): Html {
  if (list.length === 0) return html``;
  return html`<ul class="rights">${list.map(
    (right) =>
      html`<li>${tick}<span>${right.text}${right.at !== undefined && html`<span class="at">${right.at}</span>`}</span></li>`,
  )}</ul>`;
}

const tick = html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M5 12.5l4.5 4.5L19 7.5"/></svg>`;
