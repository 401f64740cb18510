import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { acceptableRequestId, newRequestId } from './request-id.ts';

const IDS_PER_THREAD = 20_000;

test('ids of several threads never meet', async () => {
  const module = new URL('./request-id.ts', import.meta.url).href;
  const code = `import(${JSON.stringify(module)}).then(({ newRequestId }) =>
    require('node:worker_threads').parentPort.postMessage(Array.from({ length: ${IDS_PER_THREAD} }, newRequestId)))`;
  const lists = await Promise.all(
    Array.from({ length: 4 }, () => {
      const worker = new Worker(code, { eval: true });
      return new Promise<string[]>((resolve, reject) => worker.once('message', resolve).once('error', reject));
    }),
  );
  const all = [...lists.flat(), ...Array.from({ length: IDS_PER_THREAD }, newRequestId)];
  assert.equal(all.length, 5 * IDS_PER_THREAD);
  assert.equal(new Set(all).size, all.length);
});

test('an id is fit for a header, a log line and a URL, and passes our own door', () => {
  const id = newRequestId();
  assert.match(id, /^[A-Za-z0-9_-]{17}$/);
  assert.ok(acceptableRequestId(id));
});

test('what could forge a line or a header is no id', () => {
  for (const bad of [
    '',
    'short',
    'a'.repeat(129),
    'abcdefgh\n',
    'abcd efgh',
    'abcdefgh\r\nX: y',
    'äbcdefgh',
    'abcdefg"',
    '<script>',
  ]) {
    assert.equal(acceptableRequestId(bad), false, JSON.stringify(bad));
  }
});
