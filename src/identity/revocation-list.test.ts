import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../lib/json.ts';
import { type AuditRecord, type AuditType, auditTypes } from '../stores/audit.ts';
import { RevocationList, revokingTypes } from './revocation-list.ts';
import type { TokenFacts } from './services.ts';

/** Milliseconds; tokens say seconds. */
const AT = 1_800_000_000_000;
const BEFORE = AT / 1_000 - 10;
const AFTER = AT / 1_000 + 10;

test('a token is revoked by its own name, by its grant, its client or its user', () => {
  const cases: readonly (readonly [AuditType, string, JsonObject | undefined])[] = [
    ['token.revoked', 'token:jti-1', { exp: AFTER }],
    ['grant.revoked', 'grant:g', undefined],
    ['client.removed', 'client:app', undefined],
    ['client.updated', 'client:app', { disabled: true }],
    ['user.removed', 'user:alice', undefined],
    ['user.updated', 'user:alice', { disabled: true }],
    ['user.updated', 'user:alice', { tokensRevoked: true }],
  ];
  for (const [type, subject, detail] of cases) {
    const list = new RevocationList();
    assert.equal(list.isRevoked(token()), false);
    list.note([record(type, subject, detail)]);
    assert.equal(list.epoch, 1);
    assert.equal(list.isRevoked(token()), true, type);
    const other = token({ jti: 'jti-2', grantId: 'h', clientId: 'other', subject: 'bob' });
    assert.equal(list.isRevoked(other), false, type);
  }
});

test('what changes nothing of tokens revokes nothing', () => {
  const list = new RevocationList();
  list.note([
    record('client.updated', 'client:app', { disabled: false }),
    record('user.updated', 'user:alice', { name: 'Alice' }),
    record('key.revoked', 'key:k', undefined),
    record('token.issued', 'token:jti-1', undefined),
  ]);
  assert.equal(list.epoch, 0);
  assert.equal(list.isRevoked(token()), false);
});

test('tokens issued after a client or user came back count; those without a date do not', () => {
  const list = new RevocationList();
  list.note([
    record('client.updated', 'client:app', { disabled: true }),
    record('user.updated', 'user:alice', { tokensRevoked: true }),
  ]);
  assert.equal(list.isRevoked(token({ issuedAt: AFTER })), false);
  assert.equal(list.isRevoked(token({ issuedAt: undefined })), true);
});

test('entries are forgotten once no token they concern can be alive', () => {
  const list = new RevocationList({ longestTokenLifetime: 1_000 });
  list.note([
    record('token.revoked', 'token:jti-1', { exp: AT / 1_000 + 5 }),
    record('grant.revoked', 'grant:g', undefined),
  ]);
  list.sweep(AT + 999);
  assert.equal(list.size, 2);
  list.sweep(AT + 1_000);
  assert.equal(list.size, 1);
  list.sweep(AT + 5_000);
  assert.equal(list.size, 0);
});

test('where there is no room, every token from before counts as revoked: more than was asked, never less', () => {
  const list = new RevocationList({ maxEntries: 3 });
  const now = Date.now();
  const many = Array.from({ length: 10 }, (_, at) =>
    record('token.revoked', `token:t${at}`, { exp: now / 1_000 + 600 }, now),
  );
  list.note(many);
  assert.ok(list.size <= 3, String(list.size));
  const issuedAt = now / 1_000 - 10;
  for (let at = 0; at < 10; at += 1) assert.equal(list.isRevoked(token({ jti: `t${at}`, issuedAt })), true);
  assert.equal(list.isRevoked(token({ jti: 'innocent', issuedAt })), true);
  assert.equal(list.isRevoked(token({ jti: 'later', issuedAt: now / 1_000 + 1 })), false);
});

test('a client that revokes without end has its own tokens refused, and nobody else’s', () => {
  const list = new RevocationList({ maxEntries: 100 });
  const now = Date.now();
  const issuedAt = now / 1_000 - 10;
  const exp = now / 1_000 + 600;
  list.note([
    record('token.revoked', 'token:theirs', { exp, client: 'quiet' }, now),
    record('user.updated', 'user:bob', { tokensRevoked: true }, now),
  ]);
  for (let at = 0; at < 1_000; at += 1) {
    const last = { exp: exp + at, client: 'loud' };
    list.note([record('token.revoked', `token:t${at}`, last, now)]);
    assert.ok(list.size <= 100, String(list.size));
  }
  for (let at = 0; at < 1_000; at += 1)
    assert.equal(list.isRevoked(token({ jti: `t${at}`, clientId: 'loud', issuedAt })), true);
  assert.equal(list.isRevoked(token({ jti: 'theirs', clientId: 'quiet', issuedAt })), true);
  assert.equal(list.isRevoked(token({ subject: 'bob', issuedAt })), true);
  assert.equal(list.isRevoked(token({ jti: 'innocent', clientId: 'quiet', issuedAt })), false);
  assert.equal(list.isRevoked(token({ jti: 'new', clientId: 'loud', issuedAt: now / 1_000 + 1 })), false);
  list.sweep((exp + 900) * 1_000);
  assert.equal(list.isRevoked(token({ jti: 't899', clientId: 'loud', issuedAt })), true, 'until the last has expired');
});

test('room that what has expired takes up is used before anything more is refused', () => {
  const list = new RevocationList({ maxEntries: 3 });
  const now = Date.now();
  const expired = now / 1_000 - 1;
  list.note(['a', 'b', 'c'].map((jti) => record('token.revoked', `token:${jti}`, { exp: expired }, now - 60_000)));
  list.note([record('token.revoked', 'token:d', { exp: now / 1_000 + 600 }, now)]);
  assert.equal(list.size, 1);
  assert.equal(list.isRevoked(token({ jti: 'd', issuedAt: now / 1_000 - 10 })), true);
  assert.equal(list.isRevoked(token({ jti: 'innocent', issuedAt: now / 1_000 - 10 })), false);
});

test('what is revoked twice counts for as long as the later of both asks', () => {
  const list = new RevocationList({ longestTokenLifetime: 1_000 });
  list.note([
    record('user.updated', 'user:alice', { tokensRevoked: true }, AT),
    record('user.updated', 'user:alice', { tokensRevoked: true }, AT + 20_000),
    record('user.updated', 'user:alice', { disabled: true }, AT + 10_000),
  ]);
  assert.equal(list.isRevoked(token({ issuedAt: AT / 1_000 + 20 })), true);
  assert.equal(list.isRevoked(token({ issuedAt: AT / 1_000 + 21 })), false);
  list.sweep(AT + 20_999);
  assert.equal(list.size, 1);
  list.sweep(AT + 21_000);
  assert.equal(list.size, 0);
});

test('a whole batch of the log moves the epoch once, and only where it revokes', () => {
  const list = new RevocationList();
  list.note([]);
  list.note([record('key.revoked', 'key:k', undefined)]);
  assert.equal(list.epoch, 0);
  list.note(['a', 'b', 'c'].map((jti) => record('token.revoked', `token:${jti}`, undefined)));
  assert.deepEqual([list.epoch, list.size], [1, 3]);
});

test('every type that revokes is one that new workers read, and that others are told of', () => {
  for (const type of Object.keys(auditTypes) as AuditType[]) {
    const list = new RevocationList();
    list.note([record(type, 'user:alice', { disabled: true, tokensRevoked: true })]);
    const revokes = list.epoch > 0;
    assert.equal(
      revokes,
      revokingTypes.some((one) => one === type),
      type,
    );
    if (revokes) assert.ok(auditTypes[type].invalidates, type);
  }
});

test('property: with little room the list refuses more than one with room for all, never less', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const change = fc.record({
    type: fc.constantFrom(...(['token.revoked', 'grant.revoked', 'client.removed', 'user.removed'] as const)),
    name: names,
    after: fc.nat({ max: 5_000 }),
  });
  const facts = fc.record({
    jti: names,
    grantId: names,
    clientId: names,
    subject: names,
    age: fc.nat({ max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.array(facts), fc.boolean(), (changes, tokens, told) => {
      const [small, large] = [new RevocationList({ maxEntries: 2 }), new RevocationList()];
      const start = Date.now();
      let at = start;
      for (const { type, name, after } of changes) {
        at += after;
        const detail = told ? { client: name } : undefined;
        const records = [record(type, `${type.slice(0, type.indexOf('.'))}:${name}`, detail, at)];
        small.note(records);
        large.note(records);
      }
      assert.ok(small.size <= 2);
      for (const { age, ...names } of tokens) {
        // Where records tell the client, a token and a grant are that client's.
        const own = told ? { jti: names.clientId, grantId: names.clientId } : {};
        const issued = { ...names, ...own, issuedAt: Math.floor(start / 1_000) - age };
        if (large.isRevoked(issued)) assert.equal(small.isRevoked(issued), true);
      }
    }),
    { numRuns: 500 },
  );
});

function token(facts: Partial<TokenFacts> = {}): TokenFacts {
  return { jti: 'jti-1', grantId: 'g', clientId: 'app', subject: 'alice', issuedAt: BEFORE, ...facts };
}

function record(type: AuditType, subject: string, detail: JsonObject | undefined, at = AT): AuditRecord {
  return { type, actor: 'system', subject, detail, seq: 1, at, previous: '', hash: '' };
}
