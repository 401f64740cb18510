import { type ModuleFile, moduleFile } from './module-file.ts';
import { COMPOSITION_ROOT, computedImports, LIBRARY_SURFACE, POLICY_REGISTRY, placeOf } from './ranks.ts';
import type { ImportEdge, ReadModule } from './read-imports.ts';
import type { Violation } from './violation.ts';

/** Holds the imports of one file against the rule. */
export function judgeImports(module: ReadModule): readonly Violation[] {
  const { file } = module;
  if (file.isTest) return [];
  const violations: Violation[] = [];
  if (placeOf(file) === undefined) {
    const message = `\`${file.room}\` has no rank: give it a row in tools/layers/ranks.ts, or move the file into a room that has one`;
    return [{ file: file.path, line: 1, message }];
  }
  for (const edge of module.imports) {
    const breach = judgeEdge(file, edge);
    if (breach !== undefined) violations.push({ file: file.path, line: edge.line, message: breach });
  }
  if (file.path === LIBRARY_SURFACE) {
    const message =
      'index.ts only re-exports by name (`export { a } from …`): the public surface is a list one can read';
    violations.push(...module.ownStatements.map((line) => ({ file: file.path, line, message })));
  }
  return violations;
}

function judgeEdge(from: ModuleFile, edge: ImportEdge): string | undefined {
  if (edge.specifier === undefined) {
    if (computedImports.some((exempt) => exempt.file === from.path)) return undefined;
    return 'imports a computed path, which no rule can judge: write it out, or give the file a row in tools/layers/ranks.ts';
  }
  if (edge.target === undefined) return undefined;
  const to = moduleFile(edge.target);
  if (to.room === undefined) return outside(from, to);
  if (to.isTest) return `imports the test ${to.path}: what runs does not depend on what tests it`;
  if (from.room === to.room) return insideRoom(from, to);
  const own = placeOf(from);
  const other = placeOf(to);
  if (own === undefined || other === undefined)
    return `imports ${to.path}, whose room has no rank in tools/layers/ranks.ts`;
  if (other.rank < own.rank) return undefined;
  if (other.rank === own.rank) {
    return `${own.room} imports ${to.path}: ${own.room} and ${other.room} are of one rank and never import each other; main.ts hands over what one needs of the other`;
  }
  return `${own.room} (rank ${own.rank}) imports ${to.path} (rank ${other.rank}): imports only go down; ${other.room} is above it, being ${other.reason}`;
}

function outside(from: ModuleFile, to: ModuleFile): string | undefined {
  if (from.path === COMPOSITION_ROOT && to.path === 'package.json') return undefined;
  return `imports ${to.path} from outside of src/: only main.ts does, and only package.json`;
}

function insideRoom(from: ModuleFile, to: ModuleFile): string | undefined {
  if (to.policy === undefined || to.policy === from.policy || from.path === POLICY_REGISTRY) return undefined;
  if (from.policy === undefined) {
    return `imports the policy ${to.policy}: of the files in src/policies/ only registry.ts knows the policies`;
  }
  return `the policy ${from.policy} imports ${to.path}: policies never import each other; share through src/policies/ or src/lib/`;
}
