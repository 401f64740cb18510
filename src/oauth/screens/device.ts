import type { ClientFacts, Screen, UserCodeConfirmFacts, UserCodeInputFacts } from '../interaction-contract.ts';
import { html } from './html.ts';
import { type Look, page } from './page.ts';
import { appHead, form, invalidWhen, problemNotice, registrationNotice } from './page-parts.ts';

/** Where the code of a device is typed (RFC 8628 §3.3). */
export function userCodeInputScreen(look: Look, facts: UserCodeInputFacts): Screen {
  const aborted = facts.problem === 'aborted';
  const problem = facts.problem === undefined || aborted ? undefined : PROBLEMS[facts.problem];
  const body = html`<h1>Connect a device</h1>
<p class="quiet">Enter the code that your device shows.</p>
${aborted && html`<div class="notice" role="status">The device was refused. You can close this page, or enter another code.</div>`}
${problemNotice(problem)}
${form(
  facts.form,
  html`<div class="field"><label for="user_code">Code</label>
<input id="user_code" name="user_code" class="code" type="text" value="${facts.userCode}" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="32" required autofocus${invalidWhen(problem)}></div>
<button class="full">Continue</button>`,
)}`;
  return page(look, { title: 'Connect a device', body });
}

const PROBLEMS = {
  'unknown-code': 'There is no such code. Check it against your device.',
  'expired-code': 'This code has expired. Ask your device for a new one.',
  'used-code': 'This code was used already. Ask your device for a new one.',
  failed: 'That did not work. Try again, or ask your device for a new code.',
} as const;

/** Whether the code belongs to the device in the person's hands: somebody else's device asks just as well (RFC 8628 §5.4). */
export function userCodeConfirmScreen(look: Look, facts: UserCodeConfirmFacts): Screen {
  const { client, device } = facts;
  const body = html`${appHead(client, html`Connect ${client.name}?`)}
<p>Does the device in front of you show this code?</p>
<p class="codeline">${facts.userCode}</p>
${
  (device.address !== undefined || device.userAgent !== undefined) &&
  html`<dl class="small">${device.address !== undefined && html`<dt>Asked from</dt><dd>${device.address}</dd>`}${
    device.userAgent !== undefined && html`<dt>Device says</dt><dd>${device.userAgent.slice(0, 200)}</dd>`
  }</dl>`
}
<p class="notice small">If somebody sent you this code or a link to this page, refuse: they would get into your account.</p>
${registrationNotice(client)}
${form(facts.form, html`<div class="choices"><button class="second" name="abort" value="yes">Refuse</button><button>Yes, continue</button></div>`)}`;
  return page(look, { title: `Connect ${client.name}?`, body });
}

export function deviceSuccessScreen(look: Look, facts: { readonly client: ClientFacts }): Screen {
  const body = html`<h1>Device connected</h1>
<p><strong>${facts.client.name}</strong> goes on by itself. You can close this page.</p>
<p class="small quiet">You can take the access back on your <a href="${look.issuer}/account">account page</a>.</p>`;
  return page(look, { title: 'Device connected', body });
}
