import { globSync } from 'node:fs';
import { basename } from 'node:path';
import type { Violation } from './violation.ts';

/** Holds the names of files and folders against the rule. */
export function judgeNames(root: string): readonly Violation[] {
  const paths = globSync('{src,tools,test,bench,examples}/**/*.{ts,mts,cts,tsx,js,mjs,cjs}', {
    cwd: root,
    exclude: (path) => basename(path) === 'node_modules' || basename(path) === '.work',
  });
  return paths
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .flatMap((path) => judgePath(path).map((message) => ({ file: path, line: 1, message })));
}

function judgePath(path: string): readonly string[] {
  if (path === 'src/index.ts') return [];
  const names = path.split('/').map((step) => step.replace(/\..*$/, ''));
  const drawer = names.find((name) => DRAWERS.has(name.toLowerCase()));
  const messages: string[] = [];
  if (drawer !== undefined) {
    messages.push(
      `\`${drawer}\` says nothing of what is inside: name the file for what it does (src/index.ts is the only barrel)`,
    );
  }
  const odd = names.find((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name));
  if (odd !== undefined) messages.push(`\`${odd}\` is not kebab-case`);
  return messages;
}

/** Names under which anything can be put, and so everything is. */
const DRAWERS: ReadonlySet<string> = new Set([
  'util',
  'utils',
  'utilities',
  'helper',
  'helpers',
  'common',
  'misc',
  'index',
]);
