import type { AuditEvent } from '../stores/audit.ts';
import type { SigningKey } from '../stores/stores.ts';
import type { SigningAlgorithm } from './make-signing-key.ts';

export interface RotationRules {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly algorithms: readonly SigningAlgorithm[];
  readonly rotateAfter: number;
  readonly overlap: number;
}

export interface RotationPlan {
  /** Whether anything has to be written. */
  readonly changes: boolean;
  /** The keys as they should be, without those that are missing. */
  readonly keys: readonly SigningKey[];
  readonly missing: readonly { readonly algorithm: SigningAlgorithm; readonly activeAt: number }[];
  readonly events: readonly AuditEvent[];
}

/**
 * What is due at a moment in the life of keys. A key is published for `overlap` before it signs, signs for `rotateAfter`, and
 * stays published for `overlap` after its successor took over. Pure, so that it can be asked before and under the lock.
 */
export function planRotation(present: readonly SigningKey[], rules: RotationRules): RotationPlan {
  const { now, algorithms } = rules;
  const kept = present.filter((key) => key.removeAt === undefined || key.removeAt > now);
  const removed = present.filter((key) => !kept.includes(key));
  const wanted: readonly string[] = algorithms;
  const superseded = kept.filter((key) => isSuperseded(key, kept, rules) || isUnwanted(key, wanted));
  const keys = kept.map((key) =>
    superseded.includes(key) ? { ...key, retiredAt: now, removeAt: now + rules.overlap } : key,
  );
  const missing = algorithms.flatMap((algorithm) => {
    const activeAt = dueActivation(
      keys.filter((key) => key.alg === algorithm && key.retiredAt === undefined),
      rules,
    );
    return activeAt === undefined ? [] : [{ algorithm, activeAt }];
  });
  const events = [
    ...superseded.map((key) => eventOf('signing-key.retired', key)),
    ...removed.map((key) => eventOf('signing-key.removed', key)),
  ];
  return { changes: events.length > 0 || missing.length > 0, keys, missing, events };
}

/** True for a key that signed until a younger one of its algorithm took over. */
function isSuperseded(key: SigningKey, keys: readonly SigningKey[], { now }: RotationRules): boolean {
  if (key.retiredAt !== undefined) return false;
  return keys.some(
    (other) => other.alg === key.alg && other.retiredAt === undefined && other.activeAt <= now && isYounger(other, key),
  );
}

/** Ties are broken by the name, so that all processes agree on one. */
function isYounger(one: SigningKey, other: SigningKey): boolean {
  return one.activeAt === other.activeAt ? one.kid < other.kid : one.activeAt > other.activeAt;
}

/** True for a key of an algorithm that nothing is signed with any more. */
function isUnwanted(key: SigningKey, wanted: readonly string[]): boolean {
  return key.retiredAt === undefined && !wanted.includes(key.alg);
}

/** When a new key would have to begin to sign; undefined while none is needed. */
function dueActivation(keys: readonly SigningKey[], { now, rotateAfter, overlap }: RotationRules): number | undefined {
  if (keys.length === 0) return now;
  const newest = keys.reduce((last, key) => Math.max(last, key.activeAt), 0);
  if (newest > now) return undefined;
  const end = newest + rotateAfter;
  // After a long stop the old key goes on for as long as verifiers need to hear of the new one.
  return end - overlap <= now ? Math.max(end, now + overlap) : undefined;
}

function eventOf(type: AuditEvent['type'], key: SigningKey): AuditEvent {
  return { type, actor: 'system', subject: `signing-key:${key.kid}`, detail: { use: key.use, alg: key.alg } };
}
