import { catalogue } from '../src/errors/catalogue.ts';

/** The three questions an explanation answers, each the beginning of a paragraph. */
const QUESTIONS = ['**What it means.**', '**As a client.**', '**As an operator.**'];

/** The table of every problem, by status. */
export function problemTable(): string {
  const rows = Object.entries(catalogue)
    .sort(([, a], [, b]) => a.status - b.status)
    .map(([code, { status, title, blame, retryable }]) => {
      return `| ${status} | [\`${code}\`](#${code}) | ${title} | ${blame} | ${retryable ? 'yes' : 'no'} |`;
    });
  return ['| status | code | title | whose fault | may a retry help |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** What the hand-written part of docs/problems.md lacks: an explanation for each code, and none for a code that is not there. */
export function problemDocFaults(document: string): readonly string[] {
  const sections = new Map<string, string>();
  for (const section of document.split(/^### /m).slice(1)) {
    const [heading = '', ...body] = section.split('\n');
    sections.set(heading.trim(), body.join('\n'));
  }
  const unknown = [...sections.keys()].filter((code) => !Object.hasOwn(catalogue, code));
  return [
    ...Object.keys(catalogue).flatMap((code) => {
      const text = sections.get(code);
      if (text === undefined) return [`problem ${code} has no section "### ${code}"`];
      const unanswered = QUESTIONS.filter((question) => !new RegExp(`^${escapePattern(question)} \\S`, 'm').test(text));
      return unanswered.map((question) => `the section on problem ${code} has no paragraph ${question}`);
    }),
    ...unknown.map((code) => `there is a section on ${code}, which is no problem of the catalogue`),
  ];
}

function escapePattern(text: string): string {
  return text.replace(/[*.]/g, '\\$&');
}
