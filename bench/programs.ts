import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The path of an installed program or undefined; Debian keeps servers in directories that are not on every user's PATH. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

/** Everything a short-lived program prints, on either stream; its exit code is not judged (`wrk -v` exits with 1). */
export async function outputOf(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: 10_000 }, (_error, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });
}

/** The first match of the pattern's group in what a program prints; `unknown` where there is none. */
export async function versionOf(program: string, args: readonly string[], pattern: RegExp): Promise<string> {
  return pattern.exec(await outputOf(program, args))?.[1] ?? 'unknown';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
