import { STATUS_CODES } from 'node:http';
import type { Problem } from '../errors/problem.ts';
import type { Exchange, Reply } from '../exchange.ts';
import { escapeHtml } from '../lib/escape-html.ts';

/** Gives a reply the body of its problem: RFC 9457 JSON, or a page where a browser asks for one. Its status stays the reply's. */
export function renderProblem(exchange: Exchange, reply: Reply, problem: Problem): void {
  for (let at = 0; at < problem.headers.length; at += 2) {
    reply.headers.append(problem.headers[at] as string, problem.headers[at + 1] as string); // the list has pairs
  }
  reply.headers.set('Cache-Control', 'no-store');
  if (asksForPage(exchange)) {
    reply.headers.set('Content-Type', 'text/html; charset=utf-8');
    reply.headers.set('Content-Security-Policy', PAGE_POLICY);
    reply.body = problemPage(problem, reply.status, exchange.id);
  } else {
    reply.headers.set('Content-Type', 'application/problem+json');
    reply.body = problemJson(problem, reply.status, exchange.id);
  }
}

/** The RFC 9457 members; `code` and `requestId` are extensions. `status` may differ from the problem's own where an upstream's status is kept. */
export function problemJson(problem: Problem, status: number, requestId: string): string {
  const detail = problem.detail === undefined ? '' : `,"detail":${JSON.stringify(problem.detail)}`;
  return `{"type":"${problem.type}","title":"${problem.title}","status":${status}${detail},"code":"${problem.code}","requestId":${JSON.stringify(requestId)}}\n`;
}

/** A browser navigating says text/html first; a script's fetch says any type, and gets JSON. */
function asksForPage(exchange: Exchange): boolean {
  const accept = exchange.headers.get('accept');
  return accept?.startsWith('text/html') === true;
}

const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

function problemPage(problem: Problem, status: number, requestId: string): string {
  const title = escapeHtml(problem.title);
  const detail = problem.detail === undefined ? '' : `<p>${escapeHtml(problem.detail)}</p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${status} ${escapeHtml(STATUS_CODES[status] ?? 'Error')}</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { max-width: 32rem; padding: 2rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
.status { font-size: 1rem; font-weight: 600; opacity: .7; margin: 0; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<p class="status">${status}</p>
<h1>${title}</h1>
${detail}
<p>If you report this, please add the request id <code>${escapeHtml(requestId)}</code>.</p>
</main>
</body>
</html>
`;
}
