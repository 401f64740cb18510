import assert from 'node:assert/strict';
import { it } from 'node:test';
import { publicLocation } from './public-location.ts';

const origin = 'http://10.0.0.1:4000';

for (const [what, location, rewrite, expected] of [
  ['strips the target’s origin', 'http://10.0.0.1:4000/a?b#c', undefined, '/a?b#c'],
  ['knows an origin without a path', 'http://10.0.0.1:4000', undefined, '/'],
  ['leaves a host that only begins like it', 'http://10.0.0.1:40001/a', undefined, 'http://10.0.0.1:40001/a'],
  ['leaves other origins', 'https://login.example.com/', { length: 3, prefix: '' }, 'https://login.example.com/'],
  ['leaves relative references', '../widgets/6', { length: 3, prefix: '' }, '../widgets/6'],
  ['leaves another authority', '//evil.example.com/', { length: 3, prefix: '' }, '//evil.example.com/'],
  ['puts a stripped prefix back', '/widgets/6', { length: 3, prefix: '' }, '/v1/widgets/6'],
  ['puts a replaced prefix back', '/internal/widgets/6?x', { length: 3, prefix: '/internal' }, '/v1/widgets/6?x'],
  ['keeps to segment borders', '/internals/6', { length: 3, prefix: '/internal' }, '/internals/6'],
  ['does both', 'http://10.0.0.1:4000/internal', { length: 3, prefix: '/internal' }, '/v1'],
] as const) {
  it(what, () => assert.equal(publicLocation(location, { clientPath: '/v1/widgets', rewrite, origin }), expected));
}
