import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type FileWatch, type WatchOptions, watchFiles } from './watch-files.ts';

describe('watchFiles', () => {
  let home: string;
  let cert: string;
  let key: string;
  let watch: FileWatch | undefined;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'watch-'));
    cert = join(home, 'tls.crt');
    key = join(home, 'tls.key');
    await writeFile(cert, 'one');
    await writeFile(key, 'one');
  });
  afterEach(async () => {
    watch?.close();
    await rm(home, { recursive: true, force: true });
  });

  function begin(paths: readonly string[], options: Partial<WatchOptions> = {}): Changes {
    const changes = new Changes();
    watch = watchFiles(paths, (changed) => changes.add(changed), { debounceMs: 30, pollMs: 60_000, ...options });
    return changes;
  }

  it('tells of a file written in place', async () => {
    const changes = begin([cert, key]);
    await writeFile(key, 'two');
    assert.deepEqual(await changes.next(), [key]);
  });

  it('tells of atomic replacements, one after the other', async () => {
    const changes = begin([cert, key]);
    for (const text of ['two', 'six', 'ten']) {
      await writeFile(join(home, 'new'), text);
      await rename(join(home, 'new'), cert);
      assert.deepEqual(await changes.next(), [cert]);
    }
  });

  it('tells once of a pair whose halves follow each other', async () => {
    const changes = begin([cert, key], { debounceMs: 300 });
    await writeFile(cert, 'two');
    await writeFile(key, 'two');
    assert.deepEqual(await changes.next(), [cert, key]);
    assert.equal(changes.all.length, 1);
  });

  it('tells of the swap of a directory link, as Kubernetes mounts secrets', async () => {
    const mount = join(home, 'mount');
    await mkdir(join(mount, '..one'), { recursive: true });
    await mkdir(join(mount, '..two'));
    for (const version of ['..one', '..two']) await writeFile(join(mount, version, 'tls.crt'), 'same length');
    await symlink('..one', join(mount, '..data'));
    await symlink('..data/tls.crt', join(mount, 'tls.crt'));
    const changes = begin([join(mount, 'tls.crt')]);
    await symlink('..two', join(mount, '..data_tmp'));
    await rename(join(mount, '..data_tmp'), join(mount, '..data'));
    assert.deepEqual(await changes.next(), [join(mount, 'tls.crt')]);
  });

  it('sees by polling what no watch on the directory can hint at', async () => {
    // The link's target lies in a directory that is not watched.
    await mkdir(join(home, 'elsewhere'));
    await mkdir(join(home, 'here'));
    await writeFile(join(home, 'elsewhere/real'), 'one');
    await symlink('../elsewhere/real', join(home, 'here/link'));
    const changes = begin([join(home, 'here/link')], { pollMs: 20 });
    await writeFile(join(home, 'elsewhere/real'), 'other');
    assert.deepEqual(await changes.next(), [join(home, 'here/link')]);
  });

  it('tells of a file that went away and of its return', async () => {
    const changes = begin([cert], { pollMs: 20 });
    await unlink(cert);
    assert.deepEqual(await changes.next(), [cert]);
    await writeFile(cert, 'back');
    assert.deepEqual(await changes.next(), [cert]);
  });

  it('watches a path whose directory does not exist yet', async () => {
    const later = join(home, 'later/tls.crt');
    const changes = begin([later], { pollMs: 20 });
    await mkdir(join(home, 'later'));
    await writeFile(later, 'new');
    assert.deepEqual(await changes.next(), [later]);
  });

  it('says nothing of other files in the directory, nor anything after close', async () => {
    const changes = begin([cert], { pollMs: 10, debounceMs: 10 });
    await writeFile(join(home, 'other'), 'x');
    await delay(100);
    assert.deepEqual(changes.all, []);
    await writeFile(cert, 'two');
    watch?.close();
    await delay(100);
    assert.deepEqual(changes.all, []);
  });
});

class Changes {
  readonly all: (readonly string[])[] = [];
  readonly #arrivals = new EventEmitter();
  #taken = 0;

  add(changed: readonly string[]): void {
    this.all.push(changed);
    this.#arrivals.emit('change');
  }

  async next(): Promise<readonly string[]> {
    while (this.all.length <= this.#taken)
      await once(this.#arrivals, 'change', { signal: AbortSignal.timeout(10_000) });
    this.#taken += 1;
    return this.all[this.#taken - 1] ?? [];
  }
}
