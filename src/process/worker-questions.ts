import type { Worker } from 'node:worker_threads';
import type { QuestionMessage, ToWorker } from './messages.ts';

/** Answers a question of a worker, or says why there is no answer. It never rejects. */
export async function answerQuestion(
  thread: Worker,
  message: QuestionMessage,
  ask: (question: QuestionMessage) => Promise<unknown>,
): Promise<void> {
  const { id } = message;
  try {
    thread.postMessage({
      type: 'answer',
      id,
      answer: await ask(message),
      refusal: undefined,
    } satisfies ToWorker<never>);
  } catch (error) {
    const refusal = error instanceof Error ? error.message : String(error);
    thread.postMessage({ type: 'answer', id, answer: undefined, refusal } satisfies ToWorker<never>);
  }
}
