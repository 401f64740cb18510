import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeClient } from './page-hooks.ts';

const nameShown = (client_name: string) => describeClient({ client_id: 'the-id', client_name }).name;

test('a client is shown by its own name, within bounds', () => {
  assert.equal(nameShown('Web shop'), 'Web shop');
  assert.equal(nameShown('店舗 Café'), '店舗 Café');
  assert.equal(nameShown('x'.repeat(5_000)), 'x'.repeat(100));
  assert.equal(nameShown('🛒'.repeat(200)), '🛒'.repeat(100));
});

test('a name holds nothing that breaks or turns the text around it', () => {
  assert.equal(nameShown('Shop\u202eknaB\u2066\u200b'), 'ShopknaB');
  assert.equal(nameShown('Your\n\nBank\u2028\u0000\u0007 says'), 'Your Bank says');
});

test('a client whose name shows nothing is shown by its id', () => {
  assert.equal(nameShown(' \u200b\u2060\n'), 'the-id');
  assert.equal(describeClient({ client_id: 'the-id' }).name, 'the-id');
});
