import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeApiKey } from '../../src/lib/api-key.ts';

/** What the demo's clients, and its one person, show. */
export interface DemoSecrets {
  readonly clientSecret: string;
  readonly notesSecret: string;
  readonly apiKey: string;
  readonly password: string;
}

export const DEMO_USER = 'ada';

/** sallyport.yaml refers to these files, so that every command finds them. */
const folder = join(import.meta.dirname, '.sallyport/secrets');

/** Reads the demo's secrets. They are random, made once, and kept in files that only this user can read. */
export async function demoSecrets(): Promise<DemoSecrets> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    clientSecret: await keptSecret('client-secret', randomSecret),
    notesSecret: await keptSecret('notes-secret', randomSecret),
    apiKey: await keptSecret('api-key', () => makeApiKey('live').key),
    password: await keptSecret('password', () => randomBytes(12).toString('base64url')),
  };
}

/** Of two demos that start at once, one makes it and both have it. */
async function keptSecret(name: string, make: () => string): Promise<string> {
  const file = join(folder, name);
  try {
    const secret = make();
    await writeFile(file, `${secret}\n`, { mode: 0o600, flag: 'wx' });
    return secret;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return (await readFile(file, 'utf8')).trim();
  }
}

function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}
