import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('a rejection that nobody takes ends the process, and the log has its stack', () => {
  const { status, stdout } = endOf("Promise.reject(new Error('nobody heard'))");
  assert.equal(status, 1);
  const line = JSON.parse(stdout);
  assert.equal(line.level, 'error');
  assert.equal(line.msg, 'the control plane met an unexpected condition and ends');
  assert.equal(line.err.message, 'nobody heard');
  assert.match(line.err.stack, /nobody heard\n +at /);
});

test('once it is forgotten about, the log has nothing', () => {
  assert.equal(endOf("forget(); throw new Error('late')").stdout, '');
});

function endOf(statement: string) {
  const log = import.meta.resolve('../observe/log.ts');
  const lastWords = import.meta.resolve('./last-words.ts');
  const script = `
    import { createLog } from '${log}';
    import { tellLastWords } from '${lastWords}';
    const forget = tellLastWords(createLog({ level: 'info', format: 'json' }));
    ${statement};`;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8', timeout: 20_000 });
}
