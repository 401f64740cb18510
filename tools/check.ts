import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '..');

interface Check {
  readonly name: string;
  readonly shows: string;
  readonly command: readonly [program: string, ...args: string[]];
  /** What to do where it fails. */
  readonly remedy: string;
}

// biome-ignore format: aligned on purpose, one check a row
const checks: readonly Check[] = [
  { name: 'types',     shows: 'tsc, every strict flag',             command: ['tsc', '--pretty', 'false'],                         remedy: 'fix the types' },
  { name: 'lint',      shows: 'Biome: lint, format, import order',  command: ['biome', 'ci', '--colors=off', '.'],                 remedy: 'npm run format mends most of it' },
  { name: 'layers',    shows: 'the import rule',                    command: [process.execPath, 'tools/check-layers.ts'],          remedy: 'hand the value over from above; ARCHITECTURE.md says how' },
  { name: 'dead code', shows: 'knip: what nothing uses',            command: ['knip', '--no-progress'],                            remedy: 'take it out, or the `export` before it' },
  { name: 'docs',      shows: 'docs say what the code says',        command: [process.execPath, 'tools/docs.ts', '--check'],       remedy: 'node tools/docs.ts writes the generated parts' },
];

interface Outcome {
  readonly check: Check;
  readonly passed: boolean;
  readonly output: string;
  readonly seconds: string;
}

/** Each check is a process of its own and none writes, so they run side by side. */
const outcomes = await Promise.all(checks.map(run));

for (const { check, passed, output } of outcomes) {
  if (!passed) console.log(`──── ${check.name}: ${check.command.slice(0, 2).join(' ')}\n\n${output.trim()}\n`);
}
for (const { check, passed, seconds } of outcomes) {
  const remedy = passed ? '' : `  → ${check.remedy}`;
  console.log(
    `${passed ? '✔' : '✖'} ${check.name.padEnd(10)} ${check.shows.padEnd(36)} ${seconds.padStart(5)} s${remedy}`,
  );
}
const failed = outcomes.filter(({ passed }) => !passed).length;
console.log(failed === 0 ? '\nEverything is in order.' : `\n${failed} of ${outcomes.length} checks failed.`);
process.exitCode = failed === 0 ? 0 : 1;

function run(check: Check): Promise<Outcome> {
  const startedAt = performance.now();
  const [program, ...args] = check.command;
  const env = { ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter) };
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((done) => {
    const finish = (passed: boolean): void =>
      done({ check, passed, output, seconds: ((performance.now() - startedAt) / 1000).toFixed(1) });
    child.on('error', (error) => {
      output += `${program} does not start: ${error.message}. Run npm ci first.`;
      finish(false);
    });
    child.on('close', (code) => finish(code === 0));
  });
}
