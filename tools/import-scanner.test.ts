import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { namedModules } from './import-scanner.ts';

const root = join(import.meta.dirname, '..');

describe('namedModules', () => {
  // biome-ignore format: one form a row
  const forms: ReadonlyArray<{ readonly source: string; readonly names: readonly string[] }> = [
    { source: "import './a.ts';",                                       names: ['./a.ts'] },
    { source: "import a from './a.ts'; import * as b from './b.ts'",    names: ['./a.ts', './b.ts'] },
    { source: "import type { A } from './a.ts'",                        names: ['./a.ts'] },
    { source: "import a, { type B as c, 'd e' as f } from './a.ts'",    names: ['./a.ts'] },
    { source: "import from from './a.ts'",                              names: ['./a.ts'] },
    { source: "import j from './a.json' with { type: 'json' }",         names: ['./a.json'] },
    { source: "export * from './a.ts'; export * as b from './b.ts'",    names: ['./a.ts', './b.ts'] },
    { source: "export { a }; export type { A } from './a.ts'",          names: ['./a.ts'] },
    { source: "export type A = 1; export const from = './a.ts'",        names: [] },
    { source: "const a = await import('./a.ts')",                       names: ['./a.ts'] },
    { source: 'const a = await import(`./a.ts`)',                       names: ['./a.ts'] },
    { source: "let a: import('./a.ts').A | typeof import(\"./b.ts\")",  names: ['./a.ts', './b.ts'] },
    { source: 'await import(url); import.meta.url; x.import("./a.ts")', names: [] },
    { source: "// import './a.ts'\n/* import './b.ts' */",              names: [] },
    { source: 'const a = "import \'./a.ts\'"; const b = `import "x"`',  names: [] },
    { source: "const a = `${import('./a.ts')} import './b.ts'`",        names: ['./a.ts'] },
    { source: "const a = `${{ b: `${1}'` }}'`; import './a.ts'",        names: ['./a.ts'] },
    { source: "const a = /['\"`]/; import './a.ts'",                    names: ['./a.ts'] },
    { source: "const a = b / 2; const c = 4 / 2; import('./a.ts')",     names: ['./a.ts'] },
    { source: "return /[/'] import/.test(a); import './a.ts'",          names: ['./a.ts'] },
    { source: "#!/usr/bin/env node's\nimport './a.ts'",                 names: ['./a.ts'] },
  ];
  for (const { source, names } of forms) {
    it(`reads ${JSON.stringify(source)}`, () => {
      assert.deepEqual(
        namedModules(source).map(({ specifier }) => specifier),
        names,
      );
    });
  }

  it('counts lines through comments, strings and templates', () => {
    const source = "/* 1\n2 */\n'\\\n';\n`\n${\n1}\n`;\nimport {\n  a,\n} from './a.ts';\n";
    assert.deepEqual(namedModules(source), [{ specifier: './a.ts', line: 11 }]);
  });

  for (const source of ["const a = 'open", 'const a = `open', 'const a = `${ open', '/* open']) {
    it(`refuses to guess at ${JSON.stringify(source)}`, () => {
      assert.throws(() => namedModules(source), /without an end/);
    });
  }

  it('sees in this project what the compiler sees', () => {
    const seen = compilerImports();
    assert.ok(seen.size > 50, `the compiler told of ${seen.size} files only`);
    for (const [file, imported] of seen) {
      const ours = namedModules(readFileSync(join(root, file), 'utf8'))
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => normalize(join(dirname(file), specifier)));
      assert.deepEqual([...imported].filter((target) => !ours.includes(target)).sort(), [], file);
    }
  });
});

/** For each file of src the files it imports, as `tsc --explainFiles` tells them. */
function compilerImports(): ReadonlyMap<string, ReadonlySet<string>> {
  const imports = new Map<string, Set<string>>();
  let target = '';
  for (const line of explained().split('\n')) {
    if (!line.startsWith(' ')) target = line.trim();
    const importer = /^ +Imported via ['"]\..* from file '(src\/.*?)'/.exec(line)?.[1];
    if (importer === undefined || !target.startsWith('src/')) continue;
    const known = imports.get(importer) ?? new Set();
    imports.set(importer, known.add(target));
  }
  return imports;
}

function explained(): string {
  const args = [join(root, 'node_modules/typescript/bin/tsc'), '--explainFiles', '-p', root];
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 } as const;
  try {
    return execFileSync(process.execPath, args, options);
  } catch (error) {
    // It exits with 2 where the project has a type error, and explains all the same.
    if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string') return error.stdout;
    throw error;
  }
}
