import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkLayers } from './check-layers.ts';

const root = join(import.meta.dirname, '..');
const bin = join(root, 'node_modules/.bin');

describe('tools/new-policy.ts', () => {
  let copy: string;
  let printed: string;
  before(() => {
    copy = mkdtempSync(join(tmpdir(), 'new-policy-'));
    for (const part of ['src', 'tools', 'test/support', 'docs', 'package.json', 'tsconfig.json', 'biome.json']) {
      cpSync(join(root, part), join(copy, part), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    printed = execFileSync(process.execPath, [join(copy, 'tools/new-policy.ts'), 'request-age', '--phase', 'receive'], {
      encoding: 'utf8',
    });
  });
  after(() => rmSync(copy, { recursive: true, force: true }));

  it('has the shape of the other policies', () => {
    assert.deepEqual(readdirSync(join(copy, 'src/policies/request-age')).sort(), [
      'README.md',
      'config.ts',
      'logic.ts',
      'request-age.test.ts',
      'request-age.ts',
    ]);
    assert.match(readFileSync(join(copy, 'src/policies/request-age/request-age.ts'), 'utf8'), /phase: 'receive'/);
  });

  it('tells where to register it', () => {
    for (const place of ['src/policies/registry.ts', 'src/policies/order.ts', 'src/config/policy-options.ts']) {
      assert.ok(printed.includes(place), place);
      assert.ok(existsSync(join(root, place)), place);
    }
    assert.match(printed, /import \{ requestAgePolicy \} from '\.\/request-age\/request-age\.ts'/);
  });

  it('passes its own tests', () => {
    const { status, stdout } = run(process.execPath, ['--test', 'src/policies/request-age/request-age.test.ts']);
    assert.equal(status, 0, stdout);
  });

  it('passes the checks: types, lint, layers, docs', () => {
    assert.equal(mentions(run(join(bin, 'tsc'), ['--pretty', 'false']).stdout), '');
    const lint = run(join(bin, 'biome'), ['ci', '--colors=off', '--vcs-enabled=false', 'src/policies/request-age']);
    assert.equal(lint.status, 0, lint.stdout + lint.stderr);
    assert.deepEqual(
      checkLayers(copy).filter(({ file }) => file.includes('request-age')),
      [],
    );
    const docs = run(process.execPath, ['tools/docs.ts', '--check']);
    assert.equal(mentions(docs.stderr), '');
  });

  it('is seen by the docs check: an option that is not in its README fails it', () => {
    const readme = join(copy, 'src/policies/request-age/README.md');
    const text = readFileSync(readme, 'utf8');
    assert.match(text, /\| `requestAge\.refuse` \|/);
    rmSync(readme);
    assert.match(run(process.execPath, ['tools/docs.ts', '--check']).stderr, /request-age\/README\.md: is missing/);
  });

  // biome-ignore format: one refusal a row
  const refusals: ReadonlyArray<{ readonly args: readonly string[]; readonly says: RegExp }> = [
    { args: [],                              says: /one name in kebab case/ },
    { args: ['RequestAge'],                  says: /one name in kebab case/ },
    { args: ['../outside'],                  says: /one name in kebab case/ },
    { args: ['cors'],                        says: /is there already/ },
    { args: ['new-one', '--phase', 'later'], says: /no phase later; the phases are receive, admit/ },
  ];
  for (const { args, says } of refusals) {
    it(`refuses ${JSON.stringify(args)} and writes nothing`, () => {
      const folders = readdirSync(join(copy, 'src/policies'));
      const { status, stderr } = run(process.execPath, ['tools/new-policy.ts', ...args]);
      assert.equal(status, 2);
      assert.match(stderr, says);
      assert.deepEqual(readdirSync(join(copy, 'src/policies')), folders);
    });
  }

  function run(program: string, args: readonly string[]) {
    // The runner tells its children that they are part of it; this one is a run of its own.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    return spawnSync(program, args, { cwd: copy, encoding: 'utf8', env });
  }
});

function mentions(output: string): string {
  return output
    .split('\n')
    .filter((line) => /request-?age/i.test(line))
    .join('\n');
}
