import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type Question } from './probe.ts';
import { hasEnded, lastWords, type Running } from './processes.ts';

const PATIENCE_MS = 15_000;

export interface Expected {
  readonly question: Question;
  readonly body: string;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/** Asks until the server gives this body with a 200; throws with the server's last words where it ends or never does. */
export async function waitForAnswer(running: Running, expected: Expected): Promise<void> {
  const { question, body, signal } = expected;
  const deadline = performance.now() + PATIENCE_MS;
  let last = 'it never listened';
  while (performance.now() < deadline) {
    if (hasEnded(running)) throw new Error(`ended before its first answer: ${lastWords(running)}`);
    try {
      const answer = await ask(question);
      if (answer.status === 200 && answer.body === body) return;
      last = `it answered ${answer.status} ${answer.body.slice(0, 200)}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await sleep(2, undefined, { signal });
  }
  throw new Error(`no right answer within ${PATIENCE_MS / 1000} s (${last}): ${lastWords(running)}`);
}
