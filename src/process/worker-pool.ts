import { Worker } from 'node:worker_threads';
import type { ReportBatch } from '../identity/report-batch.ts';
import { SharedCounts } from '../lib/shared-counts.ts';
import type {
  Blueprint,
  Challenges,
  FromWorker,
  News,
  QuestionMessage,
  StoreFacts,
  ToWorker,
  WorkerFacts,
} from './messages.ts';
import { answerQuestion } from './worker-questions.ts';

export interface PoolEvents {
  /** A new worker is there and serves nothing yet: what it is told here comes before everything else. */
  onBorn(tell: (news: News) => void): void;
  /** Resolves with the answer to a worker's question; rejects where there is none. */
  onQuestion(question: QuestionMessage): Promise<unknown>;
  onReport(report: ReportBatch): void;
  onCrash(worker: number, error: Error, restartInMs: number): void;
  onRestarted(worker: number): void;
}

export interface PoolOptions extends PoolEvents {
  /** The program's entry point; it finds out by itself that it runs in a worker thread. */
  readonly entry: URL;
  readonly size: number;
  readonly stores: StoreFacts;
}

/** A worker that does not answer within this is taken for dead. */
const ANSWER_MS = 30_000;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 10_000;
/** A worker that lived this long begins anew with the shortest back-off. */
const STABLE_MS = 30_000;

interface Slot<Config> {
  readonly number: number;
  thread: Worker | undefined;
  startedAt: number;
  backoffMs: number;
  pending: Set<Pending>;
  restart: NodeJS.Timeout | undefined;
  committed: Blueprint<Config> | undefined;
}

interface Pending {
  readonly matches: (message: FromWorker) => boolean;
  readonly resolve: (message: FromWorker) => void;
  readonly reject: (error: Error) => void;
}

/** The data plane's threads: all run the same generation, a crashed one comes back with it. */
export class WorkerPool<Config> {
  readonly #options: PoolOptions;
  readonly #slots: Slot<Config>[];
  /** Counts of connections over all workers. */
  readonly #counts: SharedArrayBuffer;
  #current: Blueprint<Config> | undefined;
  #stopping = false;
  #lastId = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#counts = SharedCounts.allocate(options.size);
    this.#slots = Array.from({ length: options.size }, (_, number) => ({
      number,
      thread: undefined,
      startedAt: 0,
      backoffMs: BACKOFF_MIN_MS,
      pending: new Set(),
      restart: undefined,
      committed: undefined,
    }));
  }

  /** Workers that serve at this moment. */
  get serving(): number {
    return this.#slots.filter((slot) => slot.committed !== undefined).length;
  }

  get size(): number {
    return this.#slots.length;
  }

  async start(blueprint: Blueprint<Config>): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#spawn(slot)));
    await this.apply(blueprint);
  }

  /** Puts a configuration into force in every worker, or in none: rejects with the first refusal. */
  async apply(blueprint: Blueprint<Config>): Promise<void> {
    const alive = this.#slots.filter((slot) => slot.thread !== undefined);
    const outcomes = await Promise.allSettled(alive.map((slot) => this.#prepare(slot, blueprint)));
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    if (refused !== undefined) {
      for (const slot of alive) this.#send(slot, { type: 'abandon', generation: blueprint.generation });
      throw refused.reason;
    }
    this.#current = blueprint;
    // A worker that dies between the two messages comes back with the new blueprint.
    await Promise.allSettled(alive.map((slot) => this.#commit(slot, blueprint)));
  }

  /** Settles when every worker that runs can answer the challenges. */
  async publishChallenges(challenges: Challenges): Promise<void> {
    if (this.#current !== undefined) this.#current = { ...this.#current, challenges };
    const id = this.#nextId();
    await Promise.allSettled(
      this.#slots
        .filter((slot) => slot.thread !== undefined)
        .map((slot) =>
          this.#ask(
            slot,
            { type: 'challenges', id, challenges },
            (message) => message.type === 'challenged' && message.id === id,
          ),
        ),
    );
  }

  /** Tells every worker that runs; one that starts later hears it through `onBorn`. */
  tell(news: News): void {
    for (const slot of this.#slots) this.#send(slot, { type: 'news', news });
  }

  /** One snapshot of metrics a worker that answers. */
  async metrics(): Promise<unknown[]> {
    const id = this.#nextId();
    const answers = await Promise.allSettled(
      this.#slots
        .filter((slot) => slot.committed !== undefined)
        .map((slot) =>
          this.#ask(slot, { type: 'metrics', id }, (message) => message.type === 'metrics' && message.id === id, 2_000),
        ),
    );
    return answers.flatMap((answer) =>
      answer.status === 'fulfilled' && answer.value.type === 'metrics' ? [answer.value.snapshot] : [],
    );
  }

  /** Lets every worker finish what it has, at most until the deadline, and ends the threads. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    for (const slot of this.#slots) clearTimeout(slot.restart);
    await Promise.allSettled(
      this.#slots.map((slot) =>
        this.#ask(slot, { type: 'drain', deadlineMs }, (message) => message.type === 'drained', deadlineMs + 2_000),
      ),
    );
    await this.terminate();
  }

  async terminate(): Promise<void> {
    this.#stopping = true;
    await Promise.allSettled(this.#slots.map((slot) => slot.thread?.terminate()));
  }

  async #prepare(slot: Slot<Config>, blueprint: Blueprint<Config>): Promise<void> {
    const { generation } = blueprint;
    const answer = await this.#ask(
      slot,
      { type: 'prepare', blueprint },
      (message) => message.type === 'prepared' && message.generation === generation,
    );
    if (answer.type === 'prepared' && answer.refusal !== undefined) throw new Error(answer.refusal);
  }

  async #commit(slot: Slot<Config>, blueprint: Blueprint<Config>): Promise<void> {
    const { generation } = blueprint;
    await this.#ask(
      slot,
      { type: 'commit', generation },
      (message) => message.type === 'committed' && message.generation === generation,
    );
    slot.committed = blueprint;
  }

  async #spawn(slot: Slot<Config>): Promise<void> {
    const thread = new Worker(this.#options.entry, {
      name: `worker-${slot.number}`,
      workerData: {
        number: slot.number,
        counts: this.#counts,
        stores: this.#options.stores,
      } satisfies WorkerFacts,
    });
    slot.thread = thread;
    slot.startedAt = performance.now();
    let failure: Error | undefined;
    thread.on('message', (message: FromWorker) => this.#answered(slot, thread, message));
    thread.on('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    thread.on('exit', (code) =>
      this.#exited(slot, thread, failure ?? new Error(`the worker exited with code ${code}`)),
    );
    await this.#expect(slot, (message) => message.type === 'ready', ANSWER_MS);
    this.#options.onBorn((news) => this.#send(slot, { type: 'news', news }));
  }

  #exited(slot: Slot<Config>, thread: Worker, error: Error): void {
    if (slot.thread !== thread) return;
    slot.thread = undefined;
    SharedCounts.forget(this.#counts, slot.number);
    slot.committed = undefined;
    for (const pending of [...slot.pending]) pending.reject(error);
    if (this.#stopping || this.#current === undefined) return;

    if (performance.now() - slot.startedAt > STABLE_MS) slot.backoffMs = BACKOFF_MIN_MS;
    const delay = slot.backoffMs;
    slot.backoffMs = Math.min(BACKOFF_MAX_MS, delay * 2);
    this.#options.onCrash(slot.number, error, delay);
    slot.restart = setTimeout(() => void this.#revive(slot), delay);
  }

  async #revive(slot: Slot<Config>): Promise<void> {
    try {
      await this.#spawn(slot);
      // The configuration may have changed while the thread came up.
      while (this.#current !== undefined && slot.committed?.generation !== this.#current.generation) {
        const blueprint = this.#current;
        await this.#prepare(slot, blueprint);
        await this.#commit(slot, blueprint);
      }
      this.#options.onRestarted(slot.number);
    } catch {
      // Its exit event tries again; a thread that hangs is ended so that there is one.
      await slot.thread?.terminate();
    }
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #send(slot: Slot<Config>, message: ToWorker<Config>): void {
    slot.thread?.postMessage(message);
  }

  #ask(
    slot: Slot<Config>,
    message: ToWorker<Config>,
    matches: (message: FromWorker) => boolean,
    withinMs = ANSWER_MS,
  ): Promise<FromWorker> {
    if (slot.thread === undefined) return Promise.reject(new Error(`worker ${slot.number} is not running`));
    const answer = this.#expect(slot, matches, withinMs);
    this.#send(slot, message);
    return answer;
  }

  #expect(slot: Slot<Config>, matches: (message: FromWorker) => boolean, withinMs: number): Promise<FromWorker> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        slot.pending.delete(pending);
      };
      const pending: Pending = {
        matches,
        resolve(message) {
          settle();
          resolve(message);
        },
        reject(error) {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(
        () => pending.reject(new Error(`worker ${slot.number} did not answer within ${withinMs} ms`)),
        withinMs,
      );
      slot.pending.add(pending);
    });
  }

  #answered(slot: Slot<Config>, thread: Worker, message: FromWorker): void {
    if (message.type === 'report') this.#options.onReport(message.report);
    if (message.type === 'question') void answerQuestion(thread, message, this.#options.onQuestion);
    for (const pending of slot.pending) {
      if (pending.matches(message)) {
        pending.resolve(message);
        return;
      }
    }
  }
}
