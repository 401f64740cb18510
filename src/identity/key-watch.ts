import { LRUCache } from 'lru-cache';
import type { AuditEvent } from '../stores/audit.ts';
import { type KeyUse, type Records, StoreUnavailable } from '../stores/stores.ts';
import { type Anomaly, judgeRefusals, judgeUses, type KeyMemory, type KeyPast, newKeyMemory } from './key-anomalies.ts';
import { networkOf } from './key-network.ts';
import { KeyUses, type SummedKeyUse } from './key-uses.ts';
import type { RefusedKey } from './report-batch.ts';

export interface KeyWatchOptions {
  readonly records: { readonly keys: Pick<Records['keys'], 'find' | 'noteUses'> };
  /** Called with each finding, a `key.anomaly` whose detail has a `reason`: at most once for a key, a reason and an hour. */
  readonly report: (event: AuditEvent) => void;
  /** The most keys that are remembered; those used longest ago are forgotten first. About half a KiB each. */
  readonly capacity?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
}

/**
 * Takes what the workers tell of keys, writes it to the records in batches, and looks for what is unusual. What a key did
 * before this process began is read from the records once, ahead of the first write.
 */
export class KeyWatch {
  readonly #options: KeyWatchOptions;
  readonly #clock: () => number;
  readonly #memories: LRUCache<string, KeyMemory>;
  readonly #uses = new KeyUses();
  /** Uses that were judged and could not be written: they are added to the next batch, and not judged again. */
  readonly #unwritten = new KeyUses();
  #flushing: Promise<void> | undefined;

  constructor(options: KeyWatchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.#memories = new LRUCache({ max: options.capacity ?? 50_000 });
  }

  used(use: KeyUse | SummedKeyUse): void {
    this.#uses.add(use);
  }

  /** A refused credential is often not the key's holder: it tells nothing of where the key is used from. */
  refused({ id, address, count }: RefusedKey): void {
    const at = this.#clock();
    let memory = this.#memories.get(id);
    if (memory === undefined) {
      memory = refusedBeforeUse(at);
      this.#memories.set(id, memory);
    }
    for (const anomaly of judgeRefusals(memory, { count, at })) this.#tell(id, address, anomaly);
  }

  /**
   * Judges and writes what came in since the last call; to be called every few seconds and once at the end. Rejects with
   * StoreUnavailable where the records do not answer; nothing is lost then but what finds no room meanwhile.
   */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** Uses that were not written for want of room since the last call. */
  takeDropped(): number {
    return this.#uses.takeDropped() + this.#unwritten.takeDropped();
  }

  async #flush(): Promise<void> {
    const uses = this.#uses.drain();
    let judged = 0;
    try {
      for (const use of uses) {
        await this.#judge(use);
        this.#unwritten.add(use);
        judged += 1;
      }
    } catch (error) {
      for (const use of uses.slice(judged)) this.#uses.add(use);
      throw error;
    }
    const batch = this.#unwritten.drain();
    if (batch.length === 0) return;
    try {
      await this.#options.records.keys.noteUses(batch, []);
    } catch (error) {
      // Where only the answer was lost they are counted twice: better than a key in use that looks as if it were not.
      if (error instanceof StoreUnavailable) for (const use of batch) this.#unwritten.add(use);
      throw error;
    }
  }

  async #judge(use: SummedKeyUse): Promise<void> {
    const { id, address } = use;
    let memory = this.#memories.get(id);
    if (memory === undefined || memory.lastActiveAt === NEVER_READ) {
      const past = await this.#pastOf(id);
      if (past === undefined) return; // removed since
      memory = { ...newKeyMemory(past), ...refusalsOf(memory) };
      this.#memories.set(id, memory);
    }
    for (const anomaly of judgeUses(memory, { ...use, at: use.lastUsedAt })) this.#tell(id, address, anomaly);
  }

  async #pastOf(id: string): Promise<KeyPast | undefined> {
    const key = (await this.#options.records.keys.find(id))?.key;
    if (key === undefined) return undefined;
    const { createdAt, lastUsedAt, lastUsedAddress } = key;
    return {
      createdAt,
      lastUsedAt,
      lastNetwork: lastUsedAddress === undefined ? undefined : networkOf(lastUsedAddress),
    };
  }

  #tell(id: string, address: string, { reason, detail }: Anomaly): void {
    const subject = `key:${id}`;
    this.#options.report({ type: 'key.anomaly', actor: subject, subject, address, detail: { reason, ...detail } });
  }
}

/** Stands for a past nobody has looked up: refusals need none, and a flood of them shall not ask the records. */
const NEVER_READ = -1;

function refusedBeforeUse(at: number): KeyMemory {
  const memory = newKeyMemory({ createdAt: NEVER_READ, lastUsedAt: undefined, lastNetwork: undefined });
  return { ...memory, refusalsSince: at };
}

function refusalsOf(memory: KeyMemory | undefined): Partial<KeyMemory> {
  if (memory === undefined) return {};
  const { refusals, refusalsSince, toldAt } = memory;
  return { refusals, refusalsSince, toldAt };
}
