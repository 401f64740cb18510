import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { ProblemCode } from '../errors/catalogue.ts';
import { type Occurrence, Problem } from '../errors/problem.ts';
import { escapeHtml } from '../lib/escape-html.ts';
import { problemJson } from '../respond/render-problem.ts';
import type { AppRequest } from './app-request.ts';

/** What this app answers; written at the end, in one place. */
export interface Answer {
  readonly status: number;
  /** A flat name-value list. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** Something a person reads, with one thing to do next. All texts are ours, and escaped all the same. */
export interface Notice {
  readonly title: string;
  readonly text: string;
  readonly action: Action | undefined;
}

/** A link, or a button that posts a form with hidden fields. */
export type Action =
  | { readonly kind: 'link'; readonly label: string; readonly href: string }
  | {
      readonly kind: 'form';
      readonly label: string;
      readonly href: string;
      readonly fields: Readonly<Record<string, string>>;
    };

export function redirect(location: string, cookies: readonly string[] = []): Answer {
  return { status: 303, headers: ['Location', location, ...setCookies(cookies), ...PRIVATE], body: '' };
}

export function json(status: number, value: unknown, cookies: readonly string[] = []): Answer {
  const headers = ['Content-Type', 'application/json', ...setCookies(cookies), ...PRIVATE];
  return { status, headers, body: `${JSON.stringify(value)}\n` };
}

export function page(status: number, notice: Notice, cookies: readonly string[] = []): Answer {
  const headers = ['Content-Type', 'text/html; charset=utf-8', 'Content-Security-Policy', POLICY];
  return { status, headers: [...headers, ...setCookies(cookies), ...PRIVATE], body: render(notice) };
}

/** A denial: a page for a person, RFC 9457 JSON for a program. */
export function deny(
  request: AppRequest,
  code: ProblemCode,
  occurrence: Occurrence & { readonly action?: Action | undefined; readonly cookies?: readonly string[] } = {},
): Answer {
  const problem = new Problem(code, occurrence);
  const cookies = occurrence.cookies ?? [];
  if (request.headers.get('accept')?.startsWith('text/html') === true) {
    const notice = { title: problem.title, text: problem.detail ?? '', action: occurrence.action };
    const answer = page(problem.status, notice, cookies);
    return { ...answer, headers: [...answer.headers, ...problem.headers] };
  }
  return {
    status: problem.status,
    headers: ['Content-Type', 'application/problem+json', ...problem.headers, ...setCookies(cookies), ...PRIVATE],
    body: problemJson(problem, problem.status, request.id ?? ''),
  };
}

export function writeAnswer(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, [...answer.headers, 'Content-Length', String(Buffer.byteLength(answer.body))]);
  response.end(answer.body);
}

function setCookies(cookies: readonly string[]): readonly string[] {
  return cookies.flatMap((cookie) => ['Set-Cookie', cookie]);
}

/** Nothing in here is the same for two people. No referrer: addresses of the callback carry codes. */
const PRIVATE: readonly string[] = ['Cache-Control', 'no-store', 'Referrer-Policy', 'no-referrer'];

function render({ title, text, action }: Notice): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${text === '' ? '' : `<p>${escapeHtml(text)}</p>`}
${action === undefined ? '' : renderAction(action)}
</main>
</body>
</html>
`;
}

function renderAction(action: Action): string {
  const href = escapeHtml(action.href);
  const label = escapeHtml(action.label);
  if (action.kind === 'link') return `<p><a class="action" href="${href}">${label}</a></p>`;
  const fields = Object.entries(action.fields).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  return `<form method="post" action="${href}">${fields.join('')}<button class="action">${label}</button></form>`;
}

const STYLE = `
:root { color-scheme: light dark; --action: #1d4ed8; --on-action: #fff; }
@media (prefers-color-scheme: dark) { :root { --action: #93b4ff; --on-action: #0b1220; } }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { max-width: 32rem; padding: 2rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
.action { display: inline-block; font: inherit; font-weight: 600; padding: .6rem 1.1rem; border: 0; border-radius: .5rem;
  background: var(--action); color: var(--on-action); text-decoration: none; cursor: pointer; }
.action:focus-visible { outline: 3px solid var(--action); outline-offset: 2px; }
`;

// No form-action: browsers apply it to redirects too, and signing out leads to the provider.
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');
