import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { StoreUnavailable } from '../stores/stores.ts';
import type { QuestionMessage } from './messages.ts';
import { answerQuestion } from './worker-questions.ts';

const QUESTION: QuestionMessage = { type: 'question', id: 7, question: 'session.touch', facts: { id: 'session' } };

test('a worker gets the answer, or the reason why there is none, whatever goes wrong', async () => {
  const echo = `require('node:worker_threads').parentPort.on('message', (m) => require('node:worker_threads').parentPort.postMessage(m))`;
  const thread = new Worker(echo, { eval: true });
  const answered = async (ask: (question: QuestionMessage) => Promise<unknown>) => {
    const [[message]] = await Promise.all([once(thread, 'message'), answerQuestion(thread, QUESTION, ask)]);
    return message;
  };
  try {
    const asked: QuestionMessage[] = [];
    const good = await answered(async (question) => asked.push(question) === 1);
    assert.deepEqual(good, { type: 'answer', id: 7, answer: true, refusal: undefined });
    assert.deepEqual(asked, [QUESTION]);
    const refused = (refusal: string) => ({ type: 'answer', id: 7, answer: undefined, refusal });
    assert.deepEqual(
      await answered(async () => {
        throw new StoreUnavailable('away');
      }),
      refused('away'),
    );
    assert.deepEqual(
      await answered(() => {
        throw new Error('at once');
      }),
      refused('at once'),
    );
    assert.deepEqual(await answered(() => Promise.reject('a word')), refused('a word'));
    const uncloneable = await answered(async () => ({ call: () => undefined }));
    assert.match(uncloneable.refusal, /could not be cloned/);
    assert.equal(uncloneable.answer, undefined);
  } finally {
    await thread.terminate();
  }
});
