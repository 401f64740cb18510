import type { ReadModule } from './read-imports.ts';
import type { Violation } from './violation.ts';

/** Every ring of files that import each other, one violation a ring, at the import that closes it. Tests are left out. */
export function findCycles(modules: readonly ReadModule[]): readonly Violation[] {
  const byPath = new Map(modules.filter(({ file }) => !file.isTest).map((module) => [module.file.path, module]));
  const done = new Set<string>();
  const trail: string[] = [];
  const violations: Violation[] = [];

  function visit(module: ReadModule): void {
    trail.push(module.file.path);
    for (const edge of module.imports) {
      const next = edge.target === undefined ? undefined : byPath.get(edge.target);
      if (next === undefined || done.has(next.file.path)) continue;
      const at = trail.indexOf(next.file.path);
      if (at < 0) {
        visit(next);
        continue;
      }
      const ring = [...trail.slice(at), next.file.path].join(' → ');
      violations.push({ file: module.file.path, line: edge.line, message: `closes an import cycle: ${ring}` });
    }
    trail.pop();
    done.add(module.file.path);
  }

  for (const module of byPath.values()) if (!done.has(module.file.path)) visit(module);
  return violations;
}
