import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseApiKey } from '../../src/lib/api-key.ts';
import { demoSecrets } from './secrets.ts';

describe('the secrets of the demo', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sp-demo-secrets-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('are the same for all who ask first at once, and for who asks later', async () => {
    const own = join(folder, 'several');
    const [first, ...others] = await Promise.all(Array.from({ length: 8 }, () => demoSecrets(own)));
    for (const other of [...others, await demoSecrets(own)]) assert.deepEqual(other, first);
    assert.ok((first?.clientSecret.length ?? 0) >= 32 && (first?.notesSecret.length ?? 0) >= 32);
    assert.ok(parseApiKey(first?.apiKey ?? '') !== undefined);
  });

  it('are kept where only this user can read them, and nothing else is left there', async () => {
    const own = join(folder, 'private');
    const { password } = await demoSecrets(own);
    assert.equal((await stat(own)).mode & 0o777, 0o700);
    const files = await readdir(own);
    assert.deepEqual(files.sort(), ['api-key', 'client-secret', 'notes-secret', 'password']);
    for (const file of files) assert.equal((await stat(join(own, file))).mode & 0o777, 0o600);
    assert.equal(await readFile(join(own, 'password'), 'utf8'), `${password}\n`);
  });
});
