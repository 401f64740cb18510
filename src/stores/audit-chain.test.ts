import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../lib/json.ts';
import type { AuditEvent, AuditRecord } from './audit.ts';
import { canonicalJson, chainEvent, GENESIS_HASH, isHeadGenuine, macOfHead, verifyChain } from './audit-chain.ts';

const key = randomBytes(32);

describe('verifyChain', () => {
  it('finds a whole log intact, and the same log under another key broken from the first record on', async () => {
    const log = chain(7);
    const head = { seq: 7, hash: log[6]?.hash ?? '' };
    assert.deepEqual(await verifyChain(key, log), { intact: true, records: 7, head });
    assert.deepEqual(await verifyChain(key, log, head), { intact: true, records: 7, head });
    assert.deepEqual(await verifyChain(key, []), { intact: true, records: 0, head: { seq: 0, hash: GENESIS_HASH } });
    const verdict = await verifyChain(randomBytes(32), log);
    assert.equal(!verdict.intact && verdict.seq, 1);
  });

  it('finds any one record that was edited, removed, repeated or moved, at its place', async () => {
    const log = chain(12);
    const place = fc.integer({ min: 0, max: 10 });
    const tampering = fc.oneof(
      fc.tuple(place, fc.constantFrom(...FIELDS)).map(([at, field]) => ({ log: edited(log, at, field), seq: at + 1 })),
      place.map((at) => ({ log: log.toSpliced(at, 1), seq: at + 1 })),
      place.map((at) => ({ log: log.toSpliced(at, 0, ...log.slice(at, at + 1)), seq: at + 2 })),
      fc
        .tuple(place, place)
        .filter(([from, to]) => from < to)
        .map(([from, to]) => ({ log: swapped(log, from, to), seq: from + 1 })),
    );
    await fc.assert(
      fc.asyncProperty(tampering, async ({ log: changed, seq }) => {
        const verdict = await verifyChain(key, changed);
        assert.equal(verdict.intact, false);
        if (!verdict.intact) assert.equal(verdict.seq, seq, verdict.message);
      }),
    );
  });

  it('finds a log that was cut, or written anew, only by a head that was noted', async () => {
    const log = chain(9);
    const head = { seq: 9, hash: log[8]?.hash ?? '' };
    for (let length = 0; length < 9; length += 1) {
      assert.equal((await verifyChain(key, log.slice(0, length))).intact, true);
      const verdict = await verifyChain(key, log.slice(0, length), head);
      assert.ok(!verdict.intact && verdict.fault === 'rolled-back' && verdict.seq === length + 1);
    }
    const anew = await verifyChain(key, chain(12), head);
    assert.ok(!anew.intact && anew.fault === 'rolled-back' && anew.seq === 9);
  });
});

describe('a hash of the chain', () => {
  it('covers every field, and tells an empty one from none', () => {
    const hashes = [
      {},
      { address: '' },
      { requestId: '' },
      { detail: {} },
      { detail: { a: 1 } },
      { address: 'x' },
      { requestId: 'x' },
      { actor: 'x' },
      { subject: 'x' },
    ].map((change) => chainEvent(key, { ...EVENT, ...change }, { seq: 1, at: 1, previous: GENESIS_HASH }).hash);
    assert.equal(new Set(hashes).size, hashes.length);
  });

  it('is the same for what comes back from JSON, whatever the order of names', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const detail = value as JsonObject; // as fast-check makes it
        const text = canonicalJson(detail);
        const back = JSON.parse(text) as JsonObject; // what was an object
        const reversed = Object.fromEntries(Object.entries(back).reverse());
        assert.equal(canonicalJson(back), text);
        assert.equal(canonicalJson(reversed), text);
      }),
    );
    assert.equal(
      canonicalJson({ b: undefined, a: [1, { d: 1, c: 2 }] } as unknown as JsonObject),
      '{"a":[1,{"c":2,"d":1}]}',
    );
  });
});

describe('the head', () => {
  it('vouches for its own place alone', () => {
    const head = { seq: 3, at: 5, hash: 'aGFzaA' };
    const mac = macOfHead(key, head);
    assert.equal(isHeadGenuine(key, { ...head, mac }), true);
    for (const change of [{ seq: 2 }, { at: 4 }, { hash: 'aGFzaB' }, { mac: `${mac}A` }, { mac: '' }]) {
      assert.equal(isHeadGenuine(key, { ...head, mac, ...change }), false);
    }
  });
});

const EVENT: AuditEvent = { type: 'user.updated', actor: 'admin:a', subject: 'user:b' };
const FIELDS = ['at', 'type', 'actor', 'subject', 'address', 'requestId', 'detail', 'previous', 'hash'] as const;

/** A log whose times differ from one made earlier, as its hashes do then. */
function chain(length: number): readonly AuditRecord[] {
  const log: AuditRecord[] = [];
  for (let seq = 1; seq <= length; seq += 1) {
    const previous = log.at(-1)?.hash ?? GENESIS_HASH;
    const event = { ...EVENT, address: '192.0.2.1', requestId: `r-${randomBytes(4).toString('hex')}`, detail: { seq } };
    log.push(chainEvent(key, event, { seq, at: 1_000 + seq, previous }));
  }
  return log;
}

function edited(log: readonly AuditRecord[], at: number, field: (typeof FIELDS)[number]): readonly AuditRecord[] {
  const values = { at: 1, type: 'user.created', detail: { seq: -1 }, hash: GENESIS_HASH, previous: 'x' };
  return log.map((record, index) =>
    index === at ? ({ ...record, [field]: 'edited', ...pick(values, field) } as AuditRecord) : record,
  ); // a record with one field exchanged
}

function pick(values: Readonly<Record<string, unknown>>, field: string): Readonly<Record<string, unknown>> {
  return field in values ? { [field]: values[field] } : {};
}

/** Each takes the other's number, as one who hides the exchange would have it. */
function swapped(log: readonly AuditRecord[], from: number, to: number): readonly AuditRecord[] {
  const [one, other] = [log[from], log[to]];
  if (one === undefined || other === undefined) return log;
  return log.with(from, { ...other, seq: one.seq }).with(to, { ...one, seq: other.seq });
}
