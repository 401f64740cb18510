import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createLog, type LogOptions } from './log.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-log-'));
after(() => rmSync(directory, { recursive: true }));

async function lineOf(
  options: Partial<LogOptions>,
  facts: object,
): Promise<{ readonly text: string; readonly line: ReturnType<typeof JSON.parse> }> {
  const path = join(directory, `${Math.random()}.log`);
  const log = createLog({ level: 'info', format: 'json', destination: path, ...options });
  log.error(facts, 'it happened');
  await log.close();
  const text = readFileSync(path, 'utf8');
  return { text, line: JSON.parse(text) };
}

test('a line has its level, time and message, and the facts under their own names', async () => {
  const { line } = await lineOf({}, { worker: 3 });
  assert.deepEqual({ ...line, time: 0 }, { level: 'error', time: 0, worker: 3, msg: 'it happened' });
  assert.equal(new Date(line.time).toISOString(), line.time);
});

test('lines below the level are not written', async () => {
  const path = join(directory, 'level.log');
  const log = createLog({ level: 'warn', format: 'json', destination: path });
  log.debug({}, 'a');
  log.info({}, 'b');
  log.warn({}, 'c');
  log.error({}, 'd');
  await log.close();
  assert.deepEqual(
    readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).msg),
    ['c', 'd'],
  );
});

test('an error is told with its stack and its cause, and without its credentials', async () => {
  const err = new Error('GET https://joe:s3cret@host/ failed', { cause: new TypeError('reset') });
  const { text, line } = await lineOf({}, { err });
  assert.equal(line.err.type, 'Error');
  assert.equal(line.err.cause.message, 'reset');
  assert.match(line.err.stack, /log\.test\.ts/);
  assert.doesNotMatch(text, /s3cret/);
});

test('in ECS an error has the names of the schema, and facts of our own stand under sallyport', async () => {
  const err = Object.assign(new Error('GET https://joe:s3cret@host/ failed', { cause: new TypeError('reset') }), {
    code: 'EPIPE',
  });
  const { text, line } = await lineOf({ format: 'ecs' }, { err, worker: 3, path: '/x' });
  assert.equal(line['log.level'], 'error');
  assert.equal(line.message, 'it happened');
  assert.match(line['ecs.version'], /^8\./);
  assert.equal(new Date(line['@timestamp']).toISOString(), line['@timestamp']);
  assert.equal(line.error.type, 'Error');
  assert.equal(line.error.code, 'EPIPE');
  assert.match(line.error.stack_trace, /log\.test\.ts/);
  assert.equal(line.sallyport.cause.message, 'reset');
  assert.equal(line.sallyport.worker, 3);
  assert.equal(line.path, undefined);
  assert.doesNotMatch(text, /s3cret/);
});

test('nothing a client sends can begin a line, forge a member or command a terminal', async () => {
  const agent = 'curl\n{"level":"error","msg":"forged"}\r\n\u001b[2J\u009b2J\u2028\u202e","msg":"forged';
  const { text, line } = await lineOf({}, { agent });
  assert.equal(text.indexOf('\n'), text.length - 1);
  assert.match(text, /^[\x20-\x7e]+\n$/);
  assert.equal(line.agent, agent);
  assert.equal(line.msg, 'it happened');
});

test('members that JSON does not know, circles and big integers do not throw', async () => {
  const circle: Record<string, unknown> = { big: 2n ** 70n, nothing: undefined };
  circle['self'] = circle;
  const { line } = await lineOf({}, { circle });
  assert.equal(line.msg, 'it happened');
});

test('the lines of several threads come out of one pipe whole, also where it was full', async () => {
  const THREADS = 4;
  const LINES = 1500;
  const module = new URL('./log.ts', import.meta.url).href;
  const work = `import(${JSON.stringify(module)}).then(async ({ createLog }) => {
    const { workerData } = require('node:worker_threads');
    const log = createLog({ level: 'info', format: 'json' });
    for (let n = 0; n < ${LINES}; n += 1) {
      const detail = n % 100 === 0 ? 'ü'.repeat(9000) : 'ü"x'.repeat((n * 7919) % 250);
      log.info({ thread: workerData, n, detail }, 'request');
      if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await log.flush();
  })`;
  const code = `const { Worker } = require('node:worker_threads');
    for (let at = 0; at < ${THREADS}; at += 1) new Worker(${JSON.stringify(work)}, { eval: true, workerData: at });`;
  // The shell's pipe is a real one, and its reader comes late.
  const child = spawn('sh', ['-c', '"$0" -e "$1" | { sleep 0.5; cat; }', process.execPath, code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0);

  const next = new Array<number>(THREADS).fill(0);
  for (const text of output.trimEnd().split('\n')) {
    assert.ok(text.length < 4096, 'a line is larger than one write of a pipe');
    const { thread, n } = JSON.parse(text) as { thread: number; n: number }; // the facts above
    assert.equal(n, next[thread], `thread ${thread}`);
    next[thread] = n + 1;
  }
  assert.deepEqual(next, new Array(THREADS).fill(LINES));
});
