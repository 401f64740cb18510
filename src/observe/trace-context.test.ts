import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newSpanId, startTrace, traceparentFor } from './trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const GOOD = `00-${TRACE}-${SPAN}-01`;

// Trace Context §3.2 and §4: what does not parse begins a new trace.
const refused: readonly string[] = [
  '',
  '00',
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-`,
  `00-${TRACE}-${SPAN}-1`,
  `00-${TRACE}-${SPAN}-0g`,
  `00-${TRACE}-${SPAN}-001`,
  `0-${TRACE}-${SPAN}-01`,
  `ff-${TRACE}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN.toUpperCase()}-01`,
  `00-${TRACE}0-${SPAN}-01`,
  `00-${TRACE.slice(1)}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-`,
  `00-${TRACE}-${SPAN}-01-more`,
  `cc-${TRACE}-${SPAN}-01more`,
  ` ${GOOD}`,
  `${GOOD} `,
  `${GOOD}\n`,
  `${GOOD},${GOOD}`,
];

for (const traceparent of refused) {
  test(`traceparent ${JSON.stringify(traceparent)} is not continued, and its tracestate is dropped`, () => {
    const trace = startTrace(traceparent, 'a=1', 0);
    assert.notEqual(trace.traceId, TRACE);
    assert.match(trace.traceId, /^(?!0+$)[0-9a-f]{32}$/);
    assert.equal(trace.parentSpanId, undefined);
    assert.equal(trace.traceState, undefined);
    assert.equal(trace.sampled, false);
  });
}

for (const traceparent of [
  GOOD,
  `cc-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01-what-is-to-come`,
  `00-${TRACE}-${SPAN}-03`,
  `00-${TRACE}-${SPAN}-ff`,
]) {
  test(`traceparent ${traceparent} is continued with a span of our own`, () => {
    const trace = startTrace(traceparent, 'rojo=1', 0);
    assert.equal(trace.traceId, TRACE);
    assert.equal(trace.parentSpanId, SPAN);
    assert.equal(trace.sampled, true);
    assert.equal(trace.traceState, 'rojo=1');
    assert.notEqual(trace.spanId, SPAN);
    // Whatever version came in, we speak version 00 and know the sampled flag only (§3.2.2, §4.3).
    assert.equal(traceparentFor(trace), `00-${TRACE}-${trace.spanId}-01`);
  });
}

test('a caller that did not sample decides too', () => {
  const trace = startTrace(`00-${TRACE}-${SPAN}-00`, undefined, 1);
  assert.equal(trace.sampled, false);
  assert.match(traceparentFor(trace), /-00$/);
});

const states: readonly (readonly [state: string, kept: boolean])[] = [
  ['rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', true],
  ['rojo=1, congo=2', true],
  ['rojo=1,,congo=2', true],
  ['0tenant@system=1', true],
  ['a-*/_=!', true],
  [`a=${'x'.repeat(256)}`, true],
  [Array.from({ length: 32 }, (_, at) => `k${at}=v`).join(','), true],
  ['', false],
  [' , ', false],
  ['rojo', false],
  ['=1', false],
  ['rojo=', false],
  ['Rojo=1', false],
  ['a b=1', false],
  ['a=b=c', false],
  ['a=ö', false],
  ['a=\u0007', false],
  ['rojo=1,rojo=2', false],
  ['t@s@x=1', false],
  ['t@=1', false],
  ['@s=1', false],
  [`a=${'x'.repeat(257)}`, false],
  [Array.from({ length: 33 }, (_, at) => `k${at}=v`).join(','), false],
  [Array.from({ length: 31 }, (_, at) => `k${at}=${'v'.repeat(20)}`).join(','), false],
];

for (const [state, kept] of states) {
  test(`tracestate ${JSON.stringify(state.slice(0, 60))} (${state.length}) is ${kept ? 'passed on' : 'dropped'}`, () => {
    assert.equal(startTrace(GOOD, state, 0).traceState, kept ? state : undefined);
  });
}

test('whatever comes in, what goes out is a sound traceparent', () => {
  const almost = fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-.{0,5})?$/);
  fc.assert(
    fc.property(fc.oneof(fc.string(), almost), fc.string(), (traceparent, tracestate) => {
      assert.match(
        traceparentFor(startTrace(traceparent, tracestate, 0.5)),
        /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/,
      );
    }),
  );
});

test('a sound traceparent is always continued', () => {
  const hex = (length: number) =>
    fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((text) => !/^0+$/.test(text));
  fc.assert(
    fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 255 }), (traceId, spanId, flags) => {
      const trace = startTrace(`00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`, undefined, 0);
      assert.equal(trace.traceId, traceId);
      assert.equal(trace.parentSpanId, spanId);
      assert.equal(trace.sampled, flags % 2 === 1);
    }),
  );
});

test('the ratio decides where the caller did not', () => {
  const share = (ratio: number): number => {
    let sampled = 0;
    for (let n = 0; n < 20_000; n += 1) sampled += startTrace(undefined, undefined, ratio).sampled ? 1 : 0;
    return sampled / 20_000;
  };
  assert.equal(share(0), 0);
  assert.equal(share(1), 1);
  const quarter = share(0.25);
  assert.ok(quarter > 0.2 && quarter < 0.3, String(quarter)); // 16 standard deviations
});

test('ids are not repeated where the pool of random bytes is drawn again', () => {
  const ids = new Set<string>();
  for (let n = 0; n < 5000; n += 1) ids.add(newSpanId());
  assert.equal(ids.size, 5000);
});
