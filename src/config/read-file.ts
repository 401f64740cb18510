import { open } from 'node:fs/promises';

/** Reads the bytes of a file at an absolute path; rejects with a Node error that has a `code`. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

/** Bytes of a configuration file, or of a file it names. Beyond it lies a mistake: /dev/zero, a log, a database. */
const LARGEST_FILE = 4 * 2 ** 20;

/** Reads a regular file, at most one byte more than the limit: enough for the caller to see that it is too large. */
export async function readRegularFile(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const facts = await file.stat();
    if (facts.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    if (!facts.isFile()) throw Object.assign(new Error('is not a regular file'), { code: 'ENOTREG' });
    const buffer = new Uint8Array(Math.min(facts.size, LARGEST_FILE) + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await file.close();
  }
}

export type TextFile = { readonly text: string } | { readonly reason: string };

/** The text of a file, or in a few words why there is none. */
export async function readText(path: string, readFile: ReadFile): Promise<TextFile> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > LARGEST_FILE) return { reason: 'it is larger than 4 MiB' };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { reason: 'it is not UTF-8 text' };
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { reason: REASONS.get(code) ?? code };
  }
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['ENOTDIR', 'there is no such file'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EISDIR', 'it is a directory'],
  ['ENOTREG', 'it is not a regular file'],
  ['ELOOP', 'its symbolic links lead in a circle'],
]);
