import type { ErrorFacts, Screen } from '../interaction-contract.ts';
import { html } from './html.ts';
import { type Look, page } from './page.ts';

/** What a person sees where the protocol cannot go on. The code and the description are for whoever they ask for help. */
export function errorScreen(look: Look, facts: ErrorFacts): Screen {
  const ours = facts.status >= 500;
  const body = html`<h1>${ours ? 'Something went wrong here' : 'This did not work'}</h1>
<p>${
    ours
      ? 'It is not your fault. Try again in a moment.'
      : 'Go back to the app you came from and try again. If it happens again, tell the people who run it what stands below.'
  }</p>
<dl class="small"><dt>Error</dt><dd><code>${facts.error}</code></dd>${
    facts.description !== undefined && html`<dt>Details</dt><dd>${facts.description}</dd>`
  }${facts.requestId !== undefined && html`<dt>Request</dt><dd><code>${facts.requestId}</code></dd>`}</dl>`;
  return page(look, { title: 'Error', body });
}

/** A page with one thing to say, such as that a sign-in has expired. */
export function messageScreen(
  look: Look,
  facts: {
    readonly title: string;
    readonly text: string;
    readonly link?: { readonly href: string; readonly label: string } | undefined;
  },
): Screen {
  const body = html`<h1>${facts.title}</h1>
<p class="quiet">${facts.text}</p>
${facts.link !== undefined && html`<p><a class="button" href="${facts.link.href}">${facts.link.label}</a></p>`}`;
  return page(look, { title: facts.title, body });
}
