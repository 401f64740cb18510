import { randomFillSync } from 'node:crypto';
import type { TraceContext } from '../exchange.ts';

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** The most members and characters of a tracestate that are passed on (Trace Context §3.3.1.5). */
const MAX_STATE_MEMBERS = 32;
const MAX_STATE_CHARACTERS = 512;

/**
 * Continues the caller's trace or begins one (W3C Trace Context §3). What does not parse begins a new trace, and its tracestate is
 * dropped with it. `sampleRatio` (0 to 1) decides where the caller did not.
 */
export function startTrace(
  traceparent: string | undefined,
  tracestate: string | undefined,
  sampleRatio: number,
): TraceContext {
  const parent = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  if (parent !== null) {
    const [, version, traceId = '', parentSpanId = '', flags = '', more] = parent;
    // A higher version may carry more behind the flags; version 00 may not (§3.2.4).
    const sound =
      version !== 'ff' && (version !== '00' || more === undefined) && traceId !== NO_TRACE && parentSpanId !== NO_SPAN;
    if (sound) {
      return {
        traceId,
        spanId: randomHex(8),
        parentSpanId,
        sampled: (Number.parseInt(flags, 16) & 1) === 1,
        traceState: acceptableState(tracestate),
      };
    }
  }
  return {
    traceId: randomHex(16),
    spanId: randomHex(8),
    parentSpanId: undefined,
    sampled: sampleRatio > 0 && Math.random() < sampleRatio,
    traceState: undefined,
  };
}

/** The traceparent that makes the gateway's span the parent of the upstream's. */
export function traceparentFor(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-0${trace.sampled ? '1' : '0'}`;
}

/** A new span id within a trace: 16 hex digits. */
export function newSpanId(): string {
  return randomHex(8);
}

function acceptableState(tracestate: string | undefined): string | undefined {
  if (tracestate === undefined || tracestate.length > MAX_STATE_CHARACTERS) return undefined;
  const members = tracestate.split(',');
  if (members.length > MAX_STATE_MEMBERS) return undefined;
  const keys = new Set<string>();
  for (const member of members) {
    const trimmed = member.trim();
    if (trimmed === '') continue; // empty members are allowed (§3.3.1.1)
    const key = STATE_MEMBER.exec(trimmed)?.[1];
    if (key === undefined || keys.has(key)) return undefined;
    keys.add(key);
  }
  return keys.size === 0 ? undefined : tracestate;
}

/** §3.3.1.3: a plain key, or `tenant@system`; values are printable ASCII without `,` and `=`. */
const STATE_MEMBER =
  /^([a-z0-9][a-z0-9_\-*/]{0,240}(?:@[a-z][a-z0-9_\-*/]{0,13})?|[a-z0-9][a-z0-9_\-*/]{241,255})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}$/;

/** Random bytes are drawn a few kilobytes at a time: a call to the system for each id would cost more than the rest of it. */
const pool = Buffer.alloc(4096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const hex = pool.toString('hex', used, used + bytes);
  used += bytes;
  return hex;
}
