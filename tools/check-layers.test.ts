import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { checkLayers, type LayerFault } from './check-layers.ts';

type Tree = Readonly<Record<string, string>>;

describe('checkLayers', () => {
  it('finds nothing in this project', () => {
    assert.deepEqual(checkLayers(join(import.meta.dirname, '..')), []);
  });

  it('lets pass what goes down, stays in its room, or is a test', () => {
    const tree = {
      'src/lib/cidr.ts': "import { isIP } from 'node:net';",
      'src/exchange.ts': "import type { Problem } from './errors/problem.ts';",
      'src/errors/problem.ts': "import './catalogue.ts';",
      'src/errors/catalogue.ts': '',
      'src/policies/registry.ts': "import './cors/cors.ts';",
      'src/policies/policy.ts': "import type { Exchange } from '../exchange.ts';",
      'src/policies/cors/cors.ts': "import '../policy.ts'; import './config.ts';",
      'src/policies/cors/config.ts': "import '../../lib/cidr.ts';",
      'src/policies/cors/cors.test.ts': "import '../headers/headers.ts'; import '../../main.ts';",
      'src/policies/headers/headers.ts': '',
      'src/config/load.ts': "import '../gateway.ts'; import '../policies/registry.ts';",
      'src/gateway.ts': "import './policies/policy.ts';",
      'src/main.ts': "import manifest from '../package.json' with { type: 'json' }; await import('./config/load.ts');",
      'src/index.ts': "export { load } from './config/load.ts';",
    };
    assert.deepEqual(faultsOf(tree), []);
  });

  // biome-ignore format: one violation a row
  const violations: ReadonlyArray<{ readonly what: string; readonly tree: Tree; readonly at: string; readonly says: RegExp }> = [
    { what: 'an import that goes up',        tree: { 'src/lib/a.ts': "\nimport '../exchange.ts';" },                                     at: 'src/lib/a.ts:2',           says: /imports go down only/ },
    { what: 'a type import that goes up',    tree: { 'src/exchange.ts': "import type { G } from './gateway.ts';" },                       at: 'src/exchange.ts:1',        says: /imports go down only/ },
    { what: 'an inline type import',         tree: { 'src/errors/a.ts': "export let a: import('../match/a.ts').A;" },                     at: 'src/errors/a.ts:1',        says: /imports go down only/ },
    { what: 'a dynamic import that goes up', tree: { 'src/gateway.ts': "await import('./cli/a.ts');" },                                   at: 'src/gateway.ts:1',         says: /imports go down only/ },
    { what: 'an export-from that goes up',   tree: { 'src/lib/a.ts': "export * from '../errors/a.ts';" },                                 at: 'src/lib/a.ts:1',           says: /imports go down only/ },
    { what: 'rooms of one floor',            tree: { 'src/match/a.ts': "import type { F } from '../forward/a.ts';" },                     at: 'src/match/a.ts:1',         says: /rooms of one floor/ },
    { what: 'listen asking config',          tree: { 'src/listen/a.ts': "import '../config/a.ts';" },                                     at: 'src/listen/a.ts:1',        says: /rooms of one floor/ },
    { what: 'the two doors',                 tree: { 'src/index.ts': "import './main.ts';" },                                             at: 'src/index.ts:1',           says: /rooms of one floor/ },
    { what: 'the library by its own name',   tree: { 'src/config/a.ts': "import { defineConfig } from 'sallyport';" },                    at: 'src/config/a.ts:1',        says: /imports go down only/ },
    { what: 'sibling policies',              tree: { 'src/policies/cors/a.ts': "import '../headers/b.ts';" },                             at: 'src/policies/cors/a.ts:1', says: /sibling policies/ },
    { what: 'a file outside src',            tree: { 'src/cli/a.ts': "import '../../tools/docs.ts';" },                                   at: 'src/cli/a.ts:1',           says: /src stands alone/ },
    { what: 'an absolute path',              tree: { 'src/cli/a.ts': "import '/srv/a.ts';" },                                             at: 'src/cli/a.ts:1',           says: /absolute path/ },
    { what: 'a test as a module',            tree: { 'src/lib/a.ts': "import './b.test.ts';" },                                           at: 'src/lib/a.ts:1',           says: /tests are not part/ },
    { what: 'a room nobody knows',           tree: { 'src/billing/a.ts': '' },                                                            at: 'src/billing/a.ts:1',       says: /has no floor/ },
    { what: 'a file that imports itself',    tree: { 'src/lib/a.ts': "import './a.ts';" },                                                at: 'src/lib/a.ts:1',           says: /imports itself/ },
    { what: 'a circle of two, types only',   tree: { 'src/lib/a.ts': "import './b.ts';", 'src/lib/b.ts': "import type { A } from './a.ts';" }, at: 'src/lib/b.ts:1',      says: /circle of imports: src\/lib\/a.ts → src\/lib\/b.ts → src\/lib\/a.ts/ },
    { what: 'a circle of three',             tree: { 'src/lib/a.ts': "import './b.ts';", 'src/lib/b.ts': "import './c.ts';", 'src/lib/c.ts': "\n\nimport './a.ts';" }, at: 'src/lib/c.ts:3', says: /circle/ },
    { what: 'a second barrel',               tree: { 'src/lib/index.ts': '' },                                                            at: 'src/lib/index.ts:1',       says: /only barrel/ },
    { what: 'a drawer of helpers',           tree: { 'src/config/helpers.ts': '' },                                                       at: 'src/config/helpers.ts:1',  says: /says nothing/ },
    { what: 'a folder of utils in test',     tree: { 'test/utils/a.ts': '' },                                                             at: 'test/utils/a.ts:1',        says: /says nothing/ },
    { what: 'a file that cannot be read',    tree: { 'src/lib/a.ts': 'const a = `open' },                                                 at: 'src/lib/a.ts:1',           says: /cannot be read/ },
  ];
  for (const { what, tree, at, says } of violations) {
    it(`finds ${what}`, () => {
      const [fault, ...others] = faultsOf(tree);
      assert.ok(fault !== undefined, 'nothing was found');
      assert.deepEqual(others, []);
      assert.equal(`${fault.file}:${fault.line}`, at);
      assert.match(fault.message, says);
    });
  }

  it('fails as a command, naming file, line and reason', () => {
    withTree({ 'src/lib/a.ts': "import '../main.ts';" }, (root) => {
      const tool = join(import.meta.dirname, 'check-layers.ts');
      assert.throws(() => execFileSync(process.execPath, [tool, root], { stdio: 'pipe', encoding: 'utf8' }), {
        status: 1,
        stderr: /^src\/lib\/a\.ts:1 imports src\/main\.ts: main\.ts lies above lib/,
      });
    });
  });
});

function faultsOf(tree: Tree): readonly LayerFault[] {
  return withTree(tree, checkLayers);
}

function withTree<Result>(tree: Tree, use: (root: string) => Result): Result {
  const root = mkdtempSync(join(tmpdir(), 'layers-'));
  try {
    for (const [file, source] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), source);
    }
    return use(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
