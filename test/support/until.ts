import { setTimeout as delay } from 'node:timers/promises';

/** Resolves with the first truthy outcome; rejects, saying what it waited for, where there is none in time. */
export async function until<Outcome>(
  what: string,
  attempt: () => Outcome | Promise<Outcome>,
  withinMs = 15_000,
): Promise<NonNullable<Outcome>> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const outcome = await attempt();
    if (outcome) return outcome;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for: ${what}`);
    await delay(20);
  }
}
