import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createLineWriter } from './line-writer.ts';

const MODULE = new URL('./line-writer.ts', import.meta.url).href;
const directory = mkdtempSync(join(tmpdir(), 'sallyport-lines-'));
after(() => rmSync(directory, { recursive: true }));

test('lines reach a file in their order, behind what it held', async () => {
  const path = join(directory, 'file.log');
  const first = createLineWriter(path);
  first.write('first\n');
  await first.close();
  const writer = createLineWriter(path);
  const lines = Array.from({ length: 20_000 }, (_, at) => `line ${at}\n`);
  for (const line of lines) writer.write(line);
  await writer.flush();
  assert.equal(readFileSync(path, 'latin1'), `first\n${lines.join('')}`);
  await writer.close();
  writer.write('too late\n');
  assert.equal(writer.dropped, 1);
});

test('a line goes out without being asked for', async () => {
  const path = join(directory, 'soon.log');
  const writer = createLineWriter(path);
  writer.write('hello\n');
  while (readFileSync(path, 'latin1') !== 'hello\n') await new Promise((resolve) => setTimeout(resolve, 10));
  await writer.close();
});

test('a full disk drops lines and counts them', async () => {
  const fd = openSync('/dev/full', 'w');
  const writer = createLineWriter(fd);
  for (let n = 0; n < 1000; n += 1) writer.write(`${'x'.repeat(99)}\n`);
  await writer.flush();
  assert.equal(writer.dropped, 1000);
  closeSync(fd);
});

test('a reader that went away ends nothing; its lines are counted as dropped', async () => {
  const fifo = join(directory, 'gone');
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  const writer = createLineWriter(fd);
  closeSync(reader);
  writer.write('nobody reads this\n');
  writer.write('nor this\n');
  await writer.flush();
  assert.equal(writer.dropped, 2);
  closeSync(fd);
});

test('nothing is left behind when a pipe that was full is read again', async () => {
  const fifo = join(directory, 'late');
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  const writer = createLineWriter(fd);
  const lines = Array.from({ length: 5000 }, (_, at) => `line ${at} ${'x'.repeat(at % 90)}\n`);
  for (const line of lines) writer.write(line);
  await new Promise((resolve) => setTimeout(resolve, 250)); // the timer goes off while the pipe is full
  let text = '';
  const buffer = Buffer.alloc(65_536);
  const wanted = lines.join('');
  while (text.length < wanted.length) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    try {
      text += buffer.toString('latin1', 0, readSync(reader, buffer));
    } catch (error) {
      assert.ok(error instanceof Error && 'code' in error && error.code === 'EAGAIN', String(error));
    }
  }
  assert.equal(text, wanted);
  assert.equal(writer.dropped, 0);
  await writer.close();
  closeSync(fd);
  closeSync(reader);
});

test('a stuck reader costs a bounded backlog, and holds up neither close nor anything else', async () => {
  const fifo = join(directory, 'stuck');
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, constants.O_RDWR); // a reader that never reads
  // More threads with a write under way than libuv's pool has: were they blocked, `stat` would never answer.
  const code = `
    import { Worker } from 'node:worker_threads';
    import { stat } from 'node:fs/promises';
    import { createLineWriter } from ${JSON.stringify(MODULE)};
    const work = \`import(${JSON.stringify(MODULE)}).then(async ({ createLineWriter }) => {
      const writer = createLineWriter(1);
      for (let n = 0; n < 100; n += 1) writer.write('x'.repeat(3999) + '\\\\n');
      const { parentPort } = await import('node:worker_threads');
      parentPort.postMessage('busy');
      setInterval(() => undefined, 1000);
    })\`;
    const workers = Array.from({ length: 6 }, () => new Worker(work, { eval: true }));
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
    const writer = createLineWriter(1);
    for (let n = 0; n < 8000; n += 1) writer.write('x'.repeat(3999) + '\\n');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await stat('/');
    const { dropped } = writer;
    await writer.close();
    await Promise.all(workers.map((worker) => worker.terminate()));
    process.send({ dropped, afterClose: writer.dropped });
    process.disconnect();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', fd, 'inherit', 'ipc'],
  });
  const told: unknown[] = [];
  child.on('message', (message) => told.push(message));
  const status = await new Promise((resolve) => child.once('exit', resolve));
  closeSync(fd);
  assert.equal(status, 0);
  assert.equal(told.length, 1);
  const [{ dropped, afterClose }] = told as [{ dropped: number; afterClose: number }]; // the message above
  // 8000 lines of 4000 bytes, of which 16 MiB are kept.
  assert.ok(dropped >= 8000 - (16 * 1024 * 1024) / 4000 - 1 && dropped < 8000, String(dropped));
  assert.ok(afterClose > 7980, String(afterClose)); // all but what the pipe holds
});

test('the last words of a thread that dies of an error are written', async () => {
  const path = join(directory, 'last-words.log');
  const code = `
    import { createLineWriter } from ${JSON.stringify(MODULE)};
    createLineWriter(${JSON.stringify(path)}).write('it was the cache\\n');
    throw new Error('boom');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'ignore' });
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 1);
  assert.equal(readFileSync(path, 'latin1'), 'it was the cache\n');
});
