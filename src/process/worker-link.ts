import type { ControlLink, Questions } from '../identity/link.ts';
import { StoreUnavailable } from '../stores/stores.ts';
import type { FromWorker, QuestionMessage } from './messages.ts';

/** A question that has no answer by then has none: requests do not wait for a control plane that hangs. */
const ANSWER_MS = 5_000;
/** Questions under way; beyond it a worker answers itself that it cannot know. */
const MOST_OPEN = 10_000;

/** A worker's questions to the control plane, over its message port. */
export class WorkerLink implements ControlLink {
  readonly #tell: (message: FromWorker) => void;
  readonly #open = new Map<
    number,
    { resolve(answer: unknown): void; reject(error: Error): void; timer: NodeJS.Timeout }
  >();
  #lastId = 0;

  constructor(tell: (message: FromWorker) => void) {
    this.#tell = tell;
  }

  ask<Question extends keyof Questions>(
    question: Question,
    facts: Questions[Question]['facts'],
  ): Promise<Questions[Question]['answer']> {
    if (this.#open.size >= MOST_OPEN)
      return Promise.reject(new StoreUnavailable('too many questions to the control plane are open'));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#settle(id)?.reject(new StoreUnavailable(`the control plane did not answer ${question} in time`)),
        ANSWER_MS,
      ).unref(); // a worker that drains does not stay for an answer
      // The control plane answers a question with what `Questions` says of it.
      this.#open.set(id, { resolve: resolve as (answer: unknown) => void, reject, timer });
      try {
        // Question and facts belong together by this method's own type, which a union cannot show.
        this.#tell({ type: 'question', id, question, facts } as QuestionMessage);
      } catch (error) {
        this.#settle(id)?.reject(new StoreUnavailable(`the control plane could not be asked: ${String(error)}`));
      }
    });
  }

  answered(id: number, answer: unknown, refusal: string | undefined): void {
    const open = this.#settle(id);
    if (refusal === undefined) open?.resolve(answer);
    else open?.reject(new StoreUnavailable(refusal));
  }

  #settle(id: number) {
    const open = this.#open.get(id);
    if (open === undefined) return undefined;
    this.#open.delete(id);
    clearTimeout(open.timer);
    return open;
  }
}
