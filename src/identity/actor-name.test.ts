import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../exchange.ts';
import { actorNameOf } from './actor-name.ts';

test('a caller is named by what it is, once', () => {
  assert.equal(
    actorNameOf(principal({ method: 'apiKey', kind: 'consumer', credentialId: '2Jx8bW1c' })),
    'key:2Jx8bW1c',
  );
  assert.equal(actorNameOf(principal({ id: 'https://id.example|ada' })), 'user:https://id.example|ada');
  const certificate = { method: 'clientCertificate', kind: 'certificate', id: 'certificate:C=DE, CN=ops' } as const;
  assert.equal(actorNameOf(principal(certificate)), 'certificate:C=DE, CN=ops');
});

test('two callers are never one, however their names are written', () => {
  const ids = [
    'a b',
    'a%20b',
    'a%2520b',
    'a',
    'a ',
    'a  ',
    'ä',
    '%C3%A4',
    'a\n',
    '\ud800',
    '\ud801',
    '%uD800',
    '\ufffd',
    '💡',
  ];
  const names = ids.map((id) => actorNameOf(principal({ id })));
  assert.equal(new Set(names).size, ids.length);
  for (const name of names) assert.match(name, /^user:[\x20-\x7e]*[\x21-\x7e]$/);
});

test('nor where they differ only far behind', () => {
  const long = 'x'.repeat(2_000);
  const first = actorNameOf(principal({ id: `${long}1` }));
  const second = actorNameOf(principal({ id: `${long}2` }));
  assert.equal(first.length, 512);
  assert.notEqual(first, second);
  assert.equal(first, actorNameOf(principal({ id: `${long}1` })));
  const guessed = actorNameOf(principal({ id: first.slice('user:'.length) }));
  assert.notEqual(guessed, first, 'a name that is chosen like the digest of another');
});

function principal(facts: Partial<Principal>): Principal {
  return {
    id: 'https://issuer.example|alice',
    kind: 'user',
    method: 'oauth',
    issuer: undefined,
    subject: 'alice',
    clientId: undefined,
    consumer: undefined,
    credentialId: undefined,
    scopes: [],
    claims: {},
    ...facts,
  };
}
