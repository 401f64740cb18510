import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldSet, isHopByHop, lowerCaseName, nominatedFields } from './http-fields.ts';

test('names are members in any case, however often they are asked for', () => {
  const isMember = fieldSet(['server', 'x-powered-by']);
  for (let round = 0; round < 2; round += 1) {
    for (const name of ['Server', 'server', 'SERVER', 'X-Powered-By']) assert.equal(isMember(name), true, name);
    for (const name of ['', 'Serve', 'Servers', '__proto__', 'ſerver']) assert.equal(isMember(name), false, name);
  }
});

test('property: a name in lower case is what String#toLowerCase says', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (name) => lowerCaseName(name) === name.toLowerCase()));
});

test('fields of the connection are told in any case', () => {
  for (const name of ['connection', 'Keep-Alive', 'TE', 'Transfer-Encoding', 'HTTP2-Settings'])
    assert.equal(isHopByHop(name), true, name);
  for (const name of ['Content-Length', 'Connection2', 'Vary']) assert.equal(isHopByHop(name), false, name);
});

test('Connection nominates fields, not what becomes of itself', () => {
  assert.deepEqual(nominatedFields(''), []);
  assert.deepEqual(nominatedFields('keep-alive'), []);
  assert.deepEqual(nominatedFields('Close, X-One ,,\tx-TWO'), ['x-one', 'x-two']);
});
