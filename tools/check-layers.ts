import { fileURLToPath } from 'node:url';
import { findCycles } from './layers/find-cycles.ts';
import { judgeImports } from './layers/judge-imports.ts';
import { judgeNames } from './layers/judge-names.ts';
import { readImports } from './layers/read-imports.ts';
import type { Violation } from './layers/violation.ts';

/**
 * Every breach of the import rule (ARCHITECTURE.md) and of the naming rule below `root`, type imports included, in the
 * order of files and lines. Tests may import anything.
 */
export function checkLayers(root: string): readonly Violation[] {
  const modules = readImports(root);
  const violations = [...modules.flatMap(judgeImports), ...findCycles(modules), ...judgeNames(root)];
  return violations.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

if (import.meta.main) {
  const violations = checkLayers(fileURLToPath(new URL('..', import.meta.url)));
  for (const { file, line, message } of violations) console.error(`${file}:${line}: ${message}`);
  if (violations.length > 0) process.exitCode = 1;
}
