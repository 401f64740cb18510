import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { renderFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';

export interface ConfigToWrite {
  /** Absolute. */
  readonly file: string;
  readonly text: string;
  readonly overwrite: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Puts a configuration file in its place, whole or not at all, once the real loader has taken it. A text says why it is not
 * there; a file that was there before is then untouched.
 */
export async function writeConfig({ file, text, overwrite, env }: ConfigToWrite): Promise<string | undefined> {
  const draft = join(dirname(file), `.sallyport-${randomBytes(6).toString('hex')}.yaml`);
  try {
    await writeFile(draft, text, { flag: 'wx' });
    const loaded = await loadConfig(draft, { env, dev: false });
    if (!loaded.ok) return `the configuration would not load:\n${renderFaults(file, loaded.faults).trimEnd()}`;
    if (overwrite) await rename(draft, file);
    else await linkNew(draft, file);
    return undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return `${file} is there already; overwrite it with --force, or write another with --output`;
    return `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    await rm(draft, { force: true });
  }
}

/** A hard link fails where the name is taken, at whatever moment it was taken; `rename` would replace it. */
async function linkNew(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw error;
    await copyFile(draft, file, constants.COPYFILE_EXCL); // a file system without hard links
  }
}
