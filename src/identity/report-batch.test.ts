import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../stores/audit.ts';
import { ReportCollector } from './report-batch.ts';

const refusal = (changed: Partial<AuditEvent> = {}): AuditEvent => ({
  type: 'request.refused',
  actor: 'anonymous',
  subject: '',
  address: '192.0.2.7',
  detail: { reason: 'expired' },
  ...changed,
});

test('nothing to tell is no report', () => {
  assert.equal(new ReportCollector().drain([]), undefined);
});

test('events that differ in nothing but their request are one, with how often it happened', () => {
  const collector = new ReportCollector();
  for (let at = 0; at < 5; at += 1) collector.audit(refusal({ requestId: `r${at}` }));
  for (const changed of [
    { type: 'user.throttled' },
    { actor: 'user:alice' },
    { subject: 'key:k' },
    { address: '192.0.2.8' },
    { address: undefined },
    { detail: { reason: 'revoked' } },
    { detail: undefined },
  ] as const)
    collector.audit(refusal(changed));
  const batch = collector.drain([]);
  assert.equal(batch?.events.length, 8);
  assert.deepEqual(batch.events[0], { event: refusal({ requestId: 'r0' }), count: 5 });
  assert.ok(batch.events.slice(1).every(({ count }) => count === 1));
});

test('a flood becomes a number: a hundred kinds of events and of refused keys, the rest is counted', () => {
  const collector = new ReportCollector();
  for (let at = 0; at < 150; at += 1) {
    collector.audit(refusal({ subject: `key:${at}` }));
    collector.keyRefused(`id-${at}`, '192.0.2.7');
  }
  for (let at = 0; at < 1_000; at += 1) collector.audit(refusal({ subject: 'key:0' }));
  const batch = collector.drain([]);
  assert.equal(batch?.events.length, 100);
  assert.equal(batch.refusedKeys.length, 100);
  assert.equal(batch.dropped, 100);
  assert.equal(batch.events[0]?.count, 1_001, 'what is known still counts');
});

test('refusals of a key are added up by key and address', () => {
  const collector = new ReportCollector();
  for (const address of ['192.0.2.7', '192.0.2.7', '192.0.2.8']) collector.keyRefused('k', address);
  assert.deepEqual(collector.drain([])?.refusedKeys, [
    { id: 'k', address: '192.0.2.7', count: 2 },
    { id: 'k', address: '192.0.2.8', count: 1 },
  ]);
});

test('failures of the stores are counted, and the last one is told', () => {
  const collector = new ReportCollector();
  collector.storeFailed('first');
  collector.storeFailed('last');
  assert.deepEqual(collector.drain([])?.storeFailures, { count: 2, message: 'last' });
});

test('uses of keys alone are a report, and each report begins anew', () => {
  const collector = new ReportCollector();
  const use = { id: 'k', uses: 1, lastUsedAt: 1, address: '192.0.2.7', route: 'widgets', networks: [] };
  collector.audit(refusal());
  collector.keyRefused('k', '192.0.2.7');
  collector.storeFailed('away');
  const first = collector.drain([]);
  assert.deepEqual(structuredClone(first), first, 'it goes over the port as it is');
  const second = collector.drain([use]);
  assert.deepEqual(second, {
    events: [],
    uses: [use],
    usesDropped: 0,
    refusedKeys: [],
    dropped: 0,
    storeFailures: undefined,
  });
  assert.equal(collector.drain([]), undefined);
});
