import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Makes a directory only its owner may enter, and closes one that was open to others. */
export async function ensurePrivateDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
}

/** Replaces a file whole, on disk before it is seen: a reader or a crash finds the old text or the new, never a part. */
export async function replaceFile(path: string, text: string, mode: FileMode): Promise<void> {
  const temporary = await writeTemporary(path, text, mode);
  try {
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(ignore);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/**
 * Makes a file unless there is one, and returns what stands there afterwards. Of several processes at it
 * at the same moment one wins (link(2) fails where the name is taken) and all get the winner's text.
 */
export async function createFileOnce(path: string, text: string, mode: FileMode): Promise<string> {
  const temporary = await writeTemporary(path, text, mode);
  try {
    await link(temporary, path);
    await syncDirectory(dirname(path));
    return text;
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    return await readFile(path, 'utf8');
  } finally {
    await unlink(temporary).catch(ignore);
  }
}

/** The text of a file, or undefined where there is none; any other failure is thrown. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The system's code of an error (`ENOENT`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** 0600 for what is secret, 0644 for what may be handed out. */
type FileMode = 0o600 | 0o644;

async function writeTemporary(path: string, text: string, mode: FileMode): Promise<string> {
  const temporary = join(dirname(path), `.${randomBytes(8).toString('hex')}.tmp`);
  // 'wx' never follows a link somebody laid there; the mode holds from the first byte on.
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  return temporary;
}

/** Makes the new name itself survive a crash. Not every file system lets a directory be synced; those that do not need none. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // The file's content is already on disk; the rename is the file system's own promise.
  }
}

function ignore(): void {}
