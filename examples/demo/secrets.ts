import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeApiKey } from '../../src/lib/api-key.ts';

/** What the demo's clients, and its one person, show. */
export interface DemoSecrets {
  readonly clientSecret: string;
  readonly notesSecret: string;
  readonly apiKey: string;
  readonly password: string;
  /** Whole milliseconds since the epoch. */
  readonly passwordMadeAt: number;
}

export const DEMO_USER = 'ada';

/** sallyport.yaml refers to the files in here, so that every command finds them. */
const home = join(import.meta.dirname, '.sallyport/secrets');

/** Reads the demo's secrets. They are random, made once, and kept in files that only this user can read. */
export async function demoSecrets(folder = home): Promise<DemoSecrets> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const password = join(folder, 'password');
  return {
    clientSecret: await keptSecret(join(folder, 'client-secret'), randomSecret),
    notesSecret: await keptSecret(join(folder, 'notes-secret'), randomSecret),
    apiKey: await keptSecret(join(folder, 'api-key'), () => makeApiKey('live').key),
    password: await keptSecret(password, () => randomBytes(12).toString('base64url')),
    passwordMadeAt: Math.floor((await stat(password)).mtimeMs),
  };
}

/** Of several demos that start at once, one makes it and all have it: a file gets its name when all of it is there. */
async function keptSecret(file: string, make: () => string): Promise<string> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  try {
    await writeFile(draft, `${make()}\n`, { mode: 0o600, flag: 'wx' });
    await link(draft, file).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  return (await readFile(file, 'utf8')).trim();
}

function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
