import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createSealer, parseSealingKey, readOrMakeSealingKey, SealBroken } from './sealer.ts';

describe('createSealer', () => {
  const key = randomBytes(32);
  const sealer = createSealer([key]);

  it('opens what it sealed, under the same context alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.string(), (text, context, other) => {
        const sealed = sealer.seal(text, context);
        assert.equal(sealer.open(sealed, context), text);
        if (other !== context) assert.throws(() => sealer.open(sealed, other), SealBroken);
      }),
    );
  });

  it('opens nothing that was changed anywhere', () => {
    const sealed = sealer.seal('a secret', 'row 1');
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
      if (Buffer.from(changed).equals(Buffer.from(sealed))) continue;
      const opened = attempt(() => sealer.open(changed, 'row 1'));
      // The last character of base64url may carry bits that mean nothing; all others count.
      if (at < sealed.length - 1) assert.equal(opened, undefined, `position ${at}`);
    }
    for (const text of ['', 's1', 's1..', 's2.x.y', 'plain', `${sealed}.x`, sealed.slice(0, 30)]) {
      assert.throws(() => sealer.open(text, 'row 1'), SealBroken);
    }
  });

  it('seals the same text differently each time', () => {
    assert.notEqual(sealer.seal('x', 'c'), sealer.seal('x', 'c'));
  });

  it('exchanges keys: the first seals, all open, and one that is gone opens nothing', () => {
    const next = randomBytes(32);
    const both = createSealer([next, key]);
    const old = sealer.seal('x', 'c');
    assert.equal(both.open(old, 'c'), 'x');
    assert.equal(both.isCurrent(old), false);
    const fresh = both.seal('x', 'c');
    assert.equal(both.isCurrent(fresh), true);
    assert.throws(() => sealer.open(fresh, 'c'), /not among the sealing keys/);
    assert.equal(createSealer([next]).open(fresh, 'c'), 'x');
  });

  it('derives other bytes for each label and key, and the same ones each time', () => {
    const bytes = (keys: Uint8Array[], label: string): string =>
      Buffer.from(createSealer(keys).derive(label, 32)).toString('hex');
    assert.equal(bytes([key], 'a'), bytes([key], 'a'));
    assert.notEqual(bytes([key], 'a'), bytes([key], 'b'));
    assert.notEqual(bytes([key], 'a'), bytes([randomBytes(32)], 'a'));
    assert.equal(createSealer([key]).derive('a', 7).length, 7);
  });

  it('takes no key of another length, and not none', () => {
    assert.throws(() => createSealer([]), /one key at least/);
    assert.throws(() => createSealer([randomBytes(16)]), /32 bytes, not 16/);
  });
});

describe('readOrMakeSealingKey', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-sealing-'));
  });
  after(async () => await rm(directory, { recursive: true, force: true }));

  it('makes one key for all who ask at the same moment, and only the owner may read it', async () => {
    const file = join(directory, 'key');
    const keys = await Promise.all(Array.from({ length: 8 }, async () => await readOrMakeSealingKey(file)));
    assert.equal(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size, 1);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(parseSealingKey(await readFile(file, 'utf8'), file), keys[0]);
  });

  it('refuses a file that others may read, and one that holds no key', async () => {
    const open = join(directory, 'open');
    await writeFile(open, randomBytes(32).toString('base64'));
    await chmod(open, 0o640);
    await assert.rejects(readOrMakeSealingKey(open), /others than its owner may read/);
    const short = join(directory, 'short');
    await writeFile(short, `${randomBytes(16).toString('base64')}\n`, { mode: 0o600 });
    await assert.rejects(readOrMakeSealingKey(short), /base64 of 32 random bytes/);
  });
});

function attempt<Outcome>(work: () => Outcome): Outcome | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
