import assert from 'node:assert/strict';
import { test } from 'node:test';
import { variable } from './environment.ts';

test('a variable that is empty is as good as none', () => {
  const env = { DEMO_DATA_DIR: '', DEMO_PORT: '8444' };
  assert.equal(variable('DEMO_DATA_DIR', env), undefined);
  assert.equal(variable('DEMO_PORT', env), '8444');
  assert.equal(variable('DEMO_REDIRECT_PORT', env), undefined);
});
