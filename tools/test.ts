import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { findTool, searchPath, type TestToolName, testTools } from '../test/support/require-tool.ts';

const root = join(import.meta.dirname, '..');

/** Node's own `--test` takes minutes to notice what hangs; no test of ours needs as long as this. */
const TEST_TIMEOUT_MS = 15 * 60_000;

const patterns = [
  'src/**/*.test.ts',
  'examples/**/*.test.ts',
  'tools/**/*.test.ts',
  'bench/*.test.ts',
  'test/**/*.test.ts',
];

/**
 * `npm test [-- path… --node-option…]`: says what it found on this machine, then hands over to Node's test runner, whose
 * summary is the last thing printed and whose exit code is the exit code.
 */
async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const options = args.filter((arg) => arg.startsWith('-'));
  const filters = args.filter((arg) => !arg.startsWith('-'));
  const requireAll = process.env['SALLYPORT_REQUIRE_ALL'] === '1' || isCi(process.env['CI']);

  if (!explainNode()) return 1;
  if (!explainTools(requireAll)) return 1;

  const files = testFiles(filters);
  if (files.length === 0) {
    console.error(
      `No test file matches ${filters.join(' ')}. Write (a part of) a path, such as src/lib or cors.test.ts.`,
    );
    return 2;
  }
  console.log(`Running ${files.length} test file${files.length === 1 ? '' : 's'}.\n`);
  return await runTests({ files, options, requireAll });
}

/** Says which Node runs the tests; false where it cannot. */
function explainNode(): boolean {
  const major = Number.parseInt(process.versions.node, 10);
  console.log(`Node ${process.versions.node} (${process.execPath})`);
  if (major === 26) return true;
  const remedy = 'npm install puts the pinned Node 26 into node_modules/.bin, and npm test runs with that';
  console.log(`  This is not the Node 26 this project pins: ${remedy}. Run them in that order.`);
  return major >= 24;
}

/** Says which programs are here and what is skipped for want of one; false where nothing may be skipped. */
function explainTools(requireAll: boolean): boolean {
  // Object.keys forgets the names; they are the table's own.
  const names = Object.keys(testTools) as TestToolName[];
  const missing = names.filter((name) => findTool(name) === undefined);
  const found = names.filter((name) => !missing.includes(name));
  console.log(`Found: ${found.join(', ') || 'none of the programs the tests use'}.`);
  for (const name of missing) {
    console.log(
      `${requireAll ? 'MISSING' : 'SKIPPING'}: ${name} is not installed, so this is not shown: ${testTools[name].shows}.`,
    );
  }
  if (missing.length === 0) return true;
  console.log(`  Debian: apt-get install ${missing.map((name) => testTools[name].debianPackage).join(' ')}`);
  if (!requireAll) return true;
  console.error('Nothing may be skipped here, because CI or SALLYPORT_REQUIRE_ALL is set. Install what is missing.');
  return false;
}

/** The test files under a filter's path, or whose path contains it; every one where there is no filter. */
function testFiles(filters: readonly string[]): readonly string[] {
  const files = globSync(patterns, { cwd: root, exclude: ['**/node_modules/**'] }).sort();
  if (filters.length === 0) return files;
  return files.filter((file) =>
    filters.some((filter) => file.includes(filter) || file.startsWith(relative(root, resolve(filter)))),
  );
}

interface Run {
  readonly files: readonly string[];
  readonly options: readonly string[];
  readonly requireAll: boolean;
}

/** Resolves with the runner's exit code. */
function runTests({ files, options, requireAll }: Run): Promise<number> {
  // Many tests start gateways, which have threads of their own: more files at a time only wait for each other.
  const concurrency = Math.max(1, Math.min(4, availableParallelism()));
  const runner = spawn(
    process.execPath,
    ['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${TEST_TIMEOUT_MS}`, ...options, ...files],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, PATH: searchPath(), ...(requireAll ? { SALLYPORT_REQUIRE_ALL: '1' } : {}) },
    },
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => runner.kill(signal));
  return new Promise((done, fail) => {
    runner.on('error', fail);
    runner.on('exit', (code) => done(code ?? 1));
  });
}

function isCi(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}

process.exitCode = await main();
