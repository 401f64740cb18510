import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { renderFaults } from '../../../src/config/faults.ts';
import { loadConfig } from '../../../src/config/load.ts';

const folder = new URL('faults/', import.meta.url);

/** What the files find in the environment. No value may come out again. */
const env = {
  LISTEN_ADDRESS: 'correct-horse-battery',
  NOT_A_NUMBER: 'staple-nine',
  PASSWORD: 'Tr0ub4dor&3',
  UPSTREAM_NAME: 'no-such-upstream-name',
  CLIENT_SECRET: 'a-client-secret-of-some-forty-characters',
  BROKEN_KEY: 'sp_live_0123456789ab_with-a-typo-in-it',
};

for (const name of (await readdir(folder)).filter((file) => file.endsWith('.yaml'))) {
  test(`${name} is refused with the report beside it`, async () => {
    const result = await loadConfig(new URL(name, folder).pathname, { env, dev: false });
    assert.ok(!result.ok, 'the file loads');
    assert.ok(result.faults.length > 0);
    const report = renderFaults(name, result.faults);

    for (const value of [...Object.values(env), 'hunter2'])
      assert.ok(!report.includes(value), `the report shows ${value}`);
    const stored = new URL(name.replace(/\.yaml$/, '.faults.txt'), folder);
    if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(stored, report);
    assert.equal(report, await readFile(stored, 'utf8'));
  });
}

test('no file has changed what objects inherit', () => {
  assert.equal(Reflect.get({}, 'exposure'), undefined);
  assert.equal(Reflect.get({}, 'targets'), undefined);
  assert.deepEqual(Object.keys(Object.prototype), []);
});
