import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SigningKey } from '../stores/stores.ts';
import { planRotation, type RotationRules } from './plan-rotation.ts';

const rules = { algorithms: ['ES256'], rotateAfter: 100, overlap: 10 } as const;

function key(kid: string, activeAt: number, rest: Partial<SigningKey> = {}): SigningKey {
  const made = {
    kid,
    use: 'oauth',
    alg: 'ES256',
    publicJwk: {},
    privateJwk: {},
    createdAt: activeAt,
    activeAt,
  } as const;
  return { ...made, retiredAt: undefined, removeAt: undefined, ...rest };
}

test('the first key signs at once', () => {
  const plan = planRotation([], { ...rules, now: 5 });
  assert.deepEqual(plan.missing, [{ algorithm: 'ES256', activeAt: 5 }]);
});

test('the next is published before the present one ends, and not earlier', () => {
  assert.equal(planRotation([key('a', 0)], { ...rules, now: 89 }).changes, false);
  assert.deepEqual(planRotation([key('a', 0)], { ...rules, now: 90 }).missing, [{ algorithm: 'ES256', activeAt: 100 }]);
  assert.equal(planRotation([key('a', 0), key('b', 100)], { ...rules, now: 95 }).changes, false);
});

test('after a long stop the next is still published before it signs', () => {
  assert.deepEqual(planRotation([key('a', 0)], { ...rules, now: 500 }).missing, [
    { algorithm: 'ES256', activeAt: 510 },
  ]);
});

test('what was followed is retired, stays for the overlap, and then goes', () => {
  const followed = planRotation([key('a', 0), key('b', 100)], { ...rules, now: 101 });
  assert.deepEqual(
    followed.keys.map(({ kid, retiredAt, removeAt }) => ({ kid, retiredAt, removeAt })),
    [
      { kid: 'a', retiredAt: 101, removeAt: 111 },
      { kid: 'b', retiredAt: undefined, removeAt: undefined },
    ],
  );
  assert.deepEqual(
    followed.events.map(({ type }) => type),
    ['signing-key.retired'],
  );
  assert.equal(planRotation(followed.keys, { ...rules, now: 110 }).keys.length, 2);
  const gone = planRotation(followed.keys, { ...rules, now: 111 });
  assert.deepEqual(
    gone.keys.map(({ kid }) => kid),
    ['b'],
  );
  assert.deepEqual(
    gone.events.map(({ type }) => type),
    ['signing-key.removed'],
  );
});

test('an algorithm that is not used any more loses its keys in the same way', () => {
  const plan = planRotation([key('a', 0, { alg: 'RS256' }), key('b', 0)], { ...rules, now: 1 });
  assert.deepEqual(
    plan.keys.map(({ kid, removeAt }) => [kid, removeAt]),
    [
      ['a', 11],
      ['b', undefined],
    ],
  );
});

test('however time goes by, one key signs, was published long enough before, and stays long enough after', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(steps, (pauses) => {
      let now = 1_000;
      let keys: readonly SigningKey[] = [];
      let made = 0;
      const publishedAt = new Map<string, number>();
      const look = () => {
        const plan = planRotation(keys, { ...rules, now } satisfies RotationRules);
        const missing = plan.missing.map(({ activeAt }) => key(`k${made++}`, activeAt));
        for (const { kid } of missing) publishedAt.set(kid, now);
        keys = [...plan.keys, ...missing];
      };
      look();
      for (const pause of pauses) {
        now += pause;
        look();
        const signing = keys.filter((each) => each.activeAt <= now && each.retiredAt === undefined);
        assert.equal(signing.length, 1);
        for (const each of keys) {
          if (each.kid !== 'k0') assert.ok(each.activeAt - (publishedAt.get(each.kid) ?? 0) >= rules.overlap);
          if (each.retiredAt !== undefined) assert.equal(each.removeAt, each.retiredAt + rules.overlap);
        }
      }
    }),
  );
});
