import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseApiKey } from '../lib/api-key.ts';
import { runCommand } from './program.ts';

test('keys generate prints a key that a configuration may declare, and nothing else', async () => {
  const one = await generate();
  const other = await generate('--environment', 'test');
  assert.equal(one.code, 0);
  assert.equal(parseApiKey(one.out.join('\n'))?.environment, 'live');
  assert.equal(parseApiKey(other.out.join('\n'))?.environment, 'test');
  assert.notEqual(one.out[0], (await generate()).out[0]);
  const { key, id } = JSON.parse((await generate('--json')).out.join('\n'));
  assert.equal(parseApiKey(key)?.id, id);
});

test('an environment that cannot stand in a key is refused', async () => {
  const { code, err, out } = await generate('--environment', 'Live!');
  assert.equal(code, 2);
  assert.deepEqual(out, []);
  assert.match(err.join('\n'), /write 1 to 12 of a-z and 0-9/);
});

async function generate(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  const facts = { version: '0', entry: new URL('../main.ts', import.meta.url), terminal, env: {} };
  return { code: await runCommand(['keys', 'generate', ...args], facts), out, err };
}
