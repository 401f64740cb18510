import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../../lib/private-files.ts';

/**
 * Makes the file and its directory where there is none, readable for the owner alone; SQLite gives the files it lays beside
 * it the same mode. Rejects where it cannot be opened.
 */
export async function prepareFile(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, 'a', 0o600);
    await handle.close();
  } catch (error) {
    const reason = errorCode(error) ?? 'unknown';
    throw new Error(`The database file of records, ${file}, cannot be opened for writing (${reason}).`);
  }
}
