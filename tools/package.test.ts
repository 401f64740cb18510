import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { skipBecause } from '../test/support/require-tool.ts';
import { build } from './build.ts';

const root = join(import.meta.dirname, '..');
// The file is JSON of ours; these are the members looked at.
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly files: readonly string[];
};

describe('the published package', () => {
  let place: string;
  let tarball: string;
  before(() => {
    place = mkdtempSync(join(tmpdir(), 'package-'));
    const source = join(place, 'source');
    mkdirSync(source);
    for (const part of ['package.json', ...manifest.files.filter((file) => file !== 'dist')]) {
      assert.ok(existsSync(join(root, part)), `package.json publishes ${part}, which is not there`);
      cpSync(join(root, part), join(source, part), { recursive: true });
    }
    build(join(source, 'dist'));
    npm(['pack', '--pack-destination', place], source);
    const packed = readdirSync(place).find((file) => file.endsWith('.tgz'));
    assert.ok(packed !== undefined, 'npm pack made no tarball');
    tarball = join(place, packed);
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  it('holds the program, its types and its schema, and no sources or tests', () => {
    const { stdout } = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' });
    const files = stdout.trim().split('\n');
    for (const wanted of [
      'dist/main.js',
      'dist/index.js',
      'dist/index.d.ts',
      'docs/schema/sallyport.schema.json',
      'LICENSE',
    ]) {
      assert.ok(files.includes(`package/${wanted}`), wanted);
    }
    const surplus = files.filter((file) => /\.test\.|\/test-|(?<!\.d)\.ts$|node_modules/.test(file));
    assert.deepEqual(surplus, []);
  });

  it('can be run as it was built', () => {
    const main = join(place, 'source/dist/main.js');
    assert.equal(statSync(main).mode & 0o111, 0o111);
    assert.match(readFileSync(main, 'utf8'), /^#!\/usr\/bin\/env node\n/);
  });

  it('runs and type-checks where it is installed', { timeout: 300_000 }, (context) => {
    const user = join(place, 'user');
    mkdirSync(user);
    writeFileSync(
      join(user, 'package.json'),
      '{ "name": "user", "version": "1.0.0", "private": true, "type": "module" }',
    );
    if (!installed(user, context)) return;

    const bin = join(user, 'node_modules/.bin/sallyport');
    const { stdout, stderr, status } = spawnSync(process.execPath, [bin, 'version'], { cwd: user, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.ok(stdout.includes(manifest.version), stdout);

    writeFileSync(join(user, 'good.ts'), GOOD);
    writeFileSync(join(user, 'bad.ts'), BAD);
    assert.equal(compile(user, 'good.ts'), '');
    assert.match(compile(user, 'bad.ts'), /bad\.ts\(2,\d+\): error TS\d+: .*'listenerz' does not exist/);
  });

  /** False where the registry cannot be reached, of which the test says that it was skipped. */
  function installed(user: string, context: TestContext): boolean {
    const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball];
    const { status, stderr } = spawnSync('npm', args, { cwd: user, encoding: 'utf8', env: npmEnvironment() });
    if (status === 0) return true;
    const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.exec(stderr)?.[0];
    assert.ok(unreachable !== undefined, stderr);
    context.skip(skipBecause(`the package registry cannot be reached (${unreachable})`));
    return false;
  }
});

const GOOD = `import { defineConfig, definePolicy } from 'sallyport';
import { z } from 'zod';

const greeting = definePolicy({
  name: 'greeting',
  phase: 'prepare',
  config: z.strictObject({ text: z.string() }),
  compile({ text }) {
    return {
      reply: function greet(_exchange, reply) {
        reply.headers.set('X-Greeting', text);
      },
    };
  },
});

export default defineConfig({
  listeners: [{ name: 'public', address: '127.0.0.1:8443' }],
  apis: [{ name: 'widgets', upstream: 'http://127.0.0.1:4000', authenticate: 'none', policies: { greeting: { text: 'hi' } } }],
  policies: [greeting],
});
`;

const BAD = `import { defineConfig } from 'sallyport';
export default defineConfig({ listenerz: [], listeners: [], apis: [] });
`;

/** Type-checks one file as a user would; the compiler and Node's types are those of this project. */
function compile(user: string, file: string): string {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  const args = [
    compiler,
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--target',
    'esnext',
    ...types,
    file,
  ];
  return spawnSync(process.execPath, args, { cwd: user, encoding: 'utf8' }).stdout;
}

function npm(args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', env: npmEnvironment() });
  assert.equal(status, 0, `npm ${args.join(' ')} in ${basename(cwd)}: ${stderr}`);
}

/** Under `npm test` the environment describes the run of this project's script; another npm must not take that for its own. */
function npmEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(package|lifecycle|command|config_local_prefix|config_prefix)/.test(name),
    ),
  );
}
