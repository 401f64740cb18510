import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { tellingLines } from './telling-lines.ts';

/** Runs a script of this folder in a fresh Node and resolves with what it printed; rejects with the last it had to say. Its stderr is passed on as it comes: long work tells of its progress there. */
export function runScript(
  args: readonly (string | URL)[],
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<string> {
  const texts = args.map((arg) => (arg instanceof URL ? fileURLToPath(arg) : arg));
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, texts, { signal, timeout: timeoutMs }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr === '' ? error.message : tellingLines(stderr)));
    });
    child.stderr?.pipe(process.stderr, { end: false });
  });
}
