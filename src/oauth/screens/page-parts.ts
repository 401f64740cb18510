import type { ClientFacts, PreparedForm } from '../interaction-contract.ts';
import { type Html, type HtmlValue, html } from './html.ts';

/** A form that posts to us. The hidden fields hold what binds it to this browser. */
export function form(prepared: PreparedForm, inside: HtmlValue, look: { readonly plain?: boolean } = {}): Html {
  return html`<form method="post" action="${prepared.action}"${look.plain === true ? html` class="plain"` : ''}>
${hiddenFields(prepared.fields)}${inside}
</form>`;
}

function hiddenFields(fields: PreparedForm['fields']): Html {
  return html`${Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">\n`)}`;
}

/** A message that a screen reader says by itself. */
export function problemNotice(problem: string | undefined): Html {
  return problem === undefined ? html`` : html`<div class="notice bad" role="alert" id="problem">${problem}</div>`;
}

export function doneNotice(done: string | undefined): Html {
  return done === undefined ? html`` : html`<div class="notice good" role="status">${done}</div>`;
}

/** What ties an input to the message about it. */
export function invalidWhen(problem: string | undefined): Html {
  return problem === undefined ? html`` : html` aria-invalid="true" aria-describedby="problem"`;
}

/** Who asks, by a letter instead of a picture from elsewhere: loading one would tell that host who signs in where. */
export function appHead(client: ClientFacts, heading: HtmlValue): Html {
  const letter = [...client.name.trim()][0]?.toUpperCase() ?? '?';
  return html`<div class="app"><span class="mark" aria-hidden="true">${letter}</span><h1>${heading}</h1></div>`;
}

/** Nobody checked the name of a client that registered itself. */
export function registrationNotice(client: ClientFacts): Html {
  if (!client.selfRegistered) return html``;
  // The host of a metadata document is what is known of its client for sure.
  const host = client.id.startsWith('https:') ? URL.parse(client.id)?.host : undefined;
  if (host !== undefined)
    return html`<p class="notice small">This app is published at <strong>${host}</strong>. Nobody here has checked its name: go on only if you trust that site and have just come from the app.</p>`;
  return html`<p class="notice small">This app registered itself. Nobody here has checked its name: go on only if you have just come from it.</p>`;
}

/** Where an app describes itself, for those of its links that are web pages. */
export function clientLinks(client: ClientFacts): Html {
  const links = [
    webLink(client.uri, 'Website'),
    webLink(client.policyUri, 'Privacy policy'),
    webLink(client.tosUri, 'Terms of service'),
  ].filter((link) => link !== undefined);
  if (links.length === 0) return html``;
  return html`<p class="small quiet">${links.map((link, index) => html`${index === 0 ? '' : ' · '}${link}`)}</p>`;
}

function webLink(uri: string | undefined, label: string): Html | undefined {
  if (uri === undefined || !/^https?:\/\//i.test(uri)) return undefined;
  return html`<a href="${uri}" rel="noopener noreferrer nofollow">${label}</a>`;
}

/** The part of a page that needs a passkey; it stays hidden where the browser knows none. */
export function passkeyForm(
  prepared: PreparedForm,
  passkey: { readonly kind: 'create' | 'get'; readonly options: string; readonly inside: HtmlValue },
): Html {
  return html`<div data-passkey-part hidden>
<form method="post" action="${prepared.action}" class="plain" data-passkey="${passkey.kind}" data-options="${passkey.options}">
${hiddenFields(prepared.fields)}<input type="hidden" name="answer" value="">
<div class="notice bad" role="alert" data-problem hidden></div>
${passkey.inside}
</form>
</div>`;
}
