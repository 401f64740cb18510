import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');

/**
 * Compiles `src/` without its tests into `folder`, which it replaces: JavaScript with declarations, and `main.js` ready to
 * be run. Throws where a type does not hold; the folder is then as it was.
 */
export function build(folder: string): void {
  const parent = dirname(folder);
  mkdirSync(parent, { recursive: true });
  // `main.ts` imports ../package.json, so the compiler lays out both below their common root; only src/ is taken from it.
  // Beside the folder, since a rename works within one file system only.
  const stage = mkdtempSync(join(parent, '.build-'));
  try {
    compile(stage);
    const main = join(stage, 'src/main.js');
    if (!readFileSync(main, 'utf8').startsWith('#!'))
      throw new Error('src/main.ts has lost its first line, #!/usr/bin/env node');
    chmodSync(main, 0o755);
    if (!existsSync(join(stage, 'src/index.js'))) throw new Error('src/index.ts, the public surface, is missing');
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(stage, 'src'), folder);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function compile(outDir: string): void {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(root, 'tsconfig.build.json');
  try {
    execFileSync(process.execPath, [compiler, '-p', project, '--outDir', outDir], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    const printed = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    throw new Error(`the sources do not compile:\n${printed}`, { cause: error });
  }
}

if (import.meta.main) {
  const folder = resolve(process.argv[2] ?? join(root, 'dist'));
  try {
    build(folder);
    console.log(`Built ${folder}.`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
