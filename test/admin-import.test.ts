import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { readLines } from '../src/admin/read-lines.ts';
import { makeApiKey, parseApiKey } from '../src/lib/api-key.ts';
import { type RunningAdminApp, startAdminApp } from './support/admin-app.ts';

const jsonl = { 'Content-Type': 'application/jsonl' };

describe('the import of keys', () => {
  let app: RunningAdminApp;
  before(async () => {
    app = await startAdminApp();
    await app.call('POST', '/consumers', { json: { name: 'holder' } });
  });
  after(async () => {
    await app.stop();
    assert.deepEqual(app.faults, []);
  });

  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by asserting on it
  async function send(lines: readonly (object | string)[]): Promise<any[]> {
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
    const answer = await app.call('POST', '/keys/import', { text: Readable.from([Buffer.from(text)]), headers: jsonl });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['content-type'], 'application/jsonl');
    return answer.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  it('makes a key a line, tells of each once, and of its progress', async () => {
    const requests = Array.from({ length: 1_203 }, (_, n) => ({
      consumer: 'holder',
      name: `key ${n}`,
      scopes: ['read'],
    }));
    const answers = await send(requests);
    const keys = answers.filter((line) => 'key' in line);
    assert.deepEqual(
      keys.map(({ line }) => line),
      requests.map((_, index) => index + 1),
    );
    assert.ok(keys.every(({ id, key }) => parseApiKey(key)?.id === id));
    assert.deepEqual(
      answers.filter((line) => 'progress' in line).map(({ progress }) => progress.created),
      [500, 1000],
    );
    assert.deepEqual(answers.at(-1), { done: { lines: 1_203, created: 1_203, refused: 0 } });
    assert.equal(await app.records.keys.count(), 1_203);
    const last = (await app.records.keys.find(keys[1_202].id))?.key;
    assert.equal(last?.name, 'key 1202');
    assert.equal(last?.hash, parseApiKey(keys[1_202].key)?.secretHash);
    const { items } = await app.records.audit.list({ type: 'key.imported' }, { limit: 10 });
    assert.deepEqual(items.map(({ detail }) => detail?.['count']).toReversed(), [500, 500, 203]);
  });

  it('refuses lines by themselves, each with its reason, and makes the others', async () => {
    const before = await app.records.keys.count();
    const answers = await send([
      { consumer: 'holder', name: 'good' },
      '',
      'no json',
      { consumer: 'nobody', name: 'x' },
      { consumer: 'holder', name: 'x', scopes: ['a b'] },
      { consumer: 'holder', name: 'x', apis: ['unknown'] },
      { consumer: 'holder', name: 'x', id: 'abcdefghijkl' },
      { consumer: 'holder', name: 'x', nonsense: 1 },
      '{"consumer":"holder","name":"x","__proto__":{}}',
      { consumer: 'holder', name: 'y'.repeat(70_000) },
      { consumer: 'holder', name: 'also good' },
    ]);
    const refused = answers.filter((line) => 'errors' in line);
    assert.deepEqual(
      refused.map(({ line }) => line),
      [3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.ok(refused.every(({ errors }) => errors.length > 0 && errors[0].message.length > 0));
    assert.deepEqual(
      answers.filter((line) => 'key' in line).map(({ line }) => line),
      [1, 11],
    );
    assert.deepEqual(answers.at(-1), { done: { lines: 11, created: 2, refused: 8 } });
    assert.equal(await app.records.keys.count(), before + 2);
  });

  it('moves keys that are in use elsewhere, and never twice', async () => {
    const { id, secretHash: hash } = makeApiKey('live');
    const [moved] = await send([{ consumer: 'holder', name: 'moved', id, hash }]);
    assert.deepEqual(moved, { line: 1, id });
    assert.equal((await app.records.keys.find(id))?.key.hash, hash);
    const answers = await send([
      { consumer: 'holder', name: 'other', id, hash },
      { consumer: 'holder', name: 'beside' },
    ]);
    assert.deepEqual(answers.at(-1), { done: { lines: 2, created: 1, refused: 1 } });
    assert.equal(answers.find(({ line }) => line === 1).errors[0].message, 'has an id that is taken');
  });

  it('ends where the client goes away, keeps what was answered and leaves nothing half', async () => {
    const before = await app.records.keys.count();
    const left = new AbortController();
    async function* endless(): AsyncGenerator<Buffer> {
      for (let n = 0; !left.signal.aborted; n += 1) {
        yield Buffer.from(`${JSON.stringify({ consumer: 'holder', name: `endless ${n}` })}\n`);
      }
    }
    const answered = new Set<string>();
    const socketPath = join(app.dataDir, 'control.sock');
    const options = { socketPath, method: 'POST', path: '/admin/v1/keys/import', headers: jsonl, agent: false };
    await new Promise<void>((resolve) => {
      const call = request(options, (answer) => {
        answer.on('error', () => resolve());
        answer.on('data', (part) => {
          for (const [, id = ''] of String(part).matchAll(/"id":"(\w{12})"/g)) answered.add(id);
          if (answered.size < 1_000) return;
          left.abort();
          call.destroy();
        });
      });
      call.on('error', () => resolve());
      Readable.from(endless()).pipe(call);
    });
    for (const id of answered) assert.ok(await app.records.keys.find(id));
    assert.equal(((await app.records.keys.count()) - before) % 500, 0);
    assert.equal((await app.call('GET', '/status')).status, 200);
  });

  it('takes nothing but JSON lines', async () => {
    assert.equal((await app.call('POST', '/keys/import', { json: {} })).status, 415);
    assert.deepEqual(await send(['']), [{ done: { lines: 0, created: 0, refused: 0 } }]);
  });
});

it('lines are cut the same wherever the stream was', async () => {
  const line = fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, ''));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1 }), fc.integer({ min: 1, max: 7 }), async (lines, size) => {
      const whole = Buffer.from(`${lines.join('\n')}\n`);
      const parts = Array.from({ length: Math.ceil(whole.length / size) }, (_, n) =>
        whole.subarray(n * size, n * size + size),
      );
      const read: string[] = [];
      for await (const { text } of readLines(Readable.from(parts), 100)) read.push(Buffer.from(text ?? []).toString());
      assert.deepEqual(
        read,
        lines.map((text) => Buffer.from(text).toString()),
      );
    }),
  );
});

it('a line beyond the bound is passed over, the next one is read', async () => {
  const parts = [Buffer.from('12345'), Buffer.from('67890\nok\r\n'), Buffer.from('1234567890')];
  const read: (string | undefined)[] = [];
  for await (const { text } of readLines(Readable.from(parts), 8))
    read.push(text === undefined ? undefined : Buffer.from(text).toString());
  assert.deepEqual(read, [undefined, 'ok', undefined]);
});
