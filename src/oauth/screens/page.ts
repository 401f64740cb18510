import { createHash } from 'node:crypto';
import type { Screen } from '../interaction-contract.ts';
import { Html, html } from './html.ts';
import { loadPageAssets, type PageAsset } from './page-assets.ts';
import { pageStyle } from './page-style.ts';

/** What all pages of one authorization server share; made once. */
export interface Look {
  /** The name over every page. */
  readonly title: string;
  /** Below it lie the account page and the assets; no slash at the end. */
  readonly issuer: string;
  readonly assets: readonly PageAsset[];
}

export interface PageFacts {
  /** The heading of the page, for the title of the window. */
  readonly title: string;
  readonly body: Html;
  /** A wide card, for the account page. */
  readonly wide?: boolean | undefined;
  /** Whether the page works with passkeys, which need a script. */
  readonly passkeys?: boolean | undefined;
  /** Further sources of `form-action`: Chrome holds redirects after a form to it, so where the client's redirect goes must be named. */
  readonly formTargets?: readonly string[] | undefined;
}

export function createLook(options: { readonly title: string; readonly issuer: string }): Look {
  return { title: options.title, issuer: options.issuer.replace(/\/$/, ''), assets: loadPageAssets() };
}

/** One page, whole, with the header fields that keep it apart from everything else. */
export function page(look: Look, facts: PageFacts): Screen {
  const scripts = facts.passkeys === true ? look.assets.map((asset) => `${look.issuer}/assets/${asset.name}`) : [];
  const { markup } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${facts.title} · ${look.title}</title>
<style>${new Html(pageStyle)}</style>
${scripts.map((source) => html`<script src="${source}" defer></script>\n`)}</head>
<body>
<header class="brand">${gate}<span>${look.title}</span></header>
<main${facts.wide === true ? html` class="wide"` : ''}>
${facts.body}
</main>
</body>
</html>
`;
  return { html: markup, headers: headersOf(scripts, facts.formTargets ?? []) };
}

/** A gate with an open door. */
const gate = html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M4 21V9a8 8 0 0 1 16 0v12"/><path d="M2 21h20"/><path d="M9 21v-9a3 3 0 0 1 6 0v9"/></svg>`;

const STYLE_HASH = createHash('sha256').update(pageStyle).digest('base64');

/**
 * Nothing may be loaded but our own style and, by their full URLs, our two scripts: other paths of this host belong to other
 * APIs. `same-origin` as the referrer policy still lets browsers name the origin of a form, which `no-referrer` does not.
 */
function headersOf(scripts: readonly string[], formTargets: readonly string[]): Readonly<Record<string, string>> {
  const directives = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    ...(scripts.length === 0 ? [] : [`script-src ${scripts.join(' ')}`]),
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  return {
    'content-security-policy': directives.join('; '),
    'x-frame-options': 'DENY',
    'referrer-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  };
}
