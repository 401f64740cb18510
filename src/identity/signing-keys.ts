import type { JSONWebKeySet } from 'jose';
import type { AuditEvent } from '../stores/audit.ts';
import type { SigningKey, SigningKeys as SigningKeyStore } from '../stores/stores.ts';
import { makeSigningKey, type SigningAlgorithm } from './make-signing-key.ts';
import { planRotation } from './plan-rotation.ts';

export interface SigningKeysOptions {
  readonly records: { readonly signingKeys: SigningKeyStore };
  readonly use: SigningKey['use'];
  /** One key signs for each. */
  readonly algorithms: readonly SigningAlgorithm[];
  /** How long a key signs, in milliseconds; more than `overlap`. */
  readonly rotateAfter: number;
  /**
   * How long a key is published before it signs, and after it last signed: at least the longest life of what is signed, plus
   * the longest time that verifiers keep a key set. Milliseconds.
   */
  readonly overlap: number;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
  /** The published keys, or which of them signs, have changed. */
  readonly onChange: () => void;
  /** The store could not be read; what is known stays in use, and it is tried again. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

/** Keys that follow each other by themselves, the same ones in all processes that share the store. */
export interface SigningKeys {
  /** The key that signs now. Throws for an algorithm that was not asked for, and before `start` has resolved. */
  active(algorithm: string): SigningKey;
  /** Every key that may have signed something valid or will soon, the one that signs first; private parts included. */
  all(): readonly SigningKey[];
  /** The public parts of all of them, for a `jwks_uri`. */
  published(): JSONWebKeySet;
  /** Makes the first keys where there are none, and watches from then on. Rejects with StoreUnavailable. */
  start(): Promise<void>;
  /** Makes the next keys now instead of when their time has come. They sign after the overlap; where the next ones are waiting already, nothing happens. */
  rotateNow(by: Pick<AuditEvent, 'actor' | 'address' | 'requestId'>): Promise<readonly SigningKey[]>;
  /** Reads the store again, for one who has heard that it changed. */
  refresh(): Promise<void>;
  close(): void;
}

/** How long a change made by another process may go unheard, in milliseconds. */
const LOOK_EVERY = 30_000;

/** Makes the rotating keys of one use. Throws where `rotateAfter` leaves no time beside `overlap`. */
export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  const { use, algorithms, rotateAfter, overlap, onChange } = options;
  if (rotateAfter <= overlap) {
    throw new RangeError(
      `signing keys that rotate after ${rotateAfter} ms cannot overlap for ${overlap} ms: let them sign longer`,
    );
  }
  const store = options.records.signingKeys;
  const clock = options.clock ?? Date.now;
  let keys: readonly SigningKey[] = [];
  let shape = '';
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    let known = await store.list(use);
    const need = planRotation(known, { now: clock(), algorithms, rotateAfter, overlap });
    if (need.changes) {
      // Keys are made before the lock is taken: an RSA key takes longer than anybody should hold it.
      const spare = new Map<string, SigningKey>();
      for (const { algorithm, activeAt } of need.missing) {
        spare.set(algorithm, await makeSigningKey({ use, algorithm, createdAt: clock(), activeAt }));
      }
      known = await store.rotate(use, (present) => applyRotation(present, spare));
    }
    keys = known;
    announce();
  }

  function applyRotation(present: readonly SigningKey[], spare: ReadonlyMap<string, SigningKey>) {
    const plan = planRotation(present, { now: clock(), algorithms, rotateAfter, overlap });
    const made = plan.missing.flatMap(({ algorithm, activeAt }) => {
      const key = spare.get(algorithm);
      return key === undefined ? [] : [{ ...key, activeAt }];
    });
    const created = made.map((key) => keyEvent('signing-key.created', key));
    return { keys: [...plan.keys, ...made], events: [...plan.events, ...created] };
  }

  async function rotateNow(by: Pick<AuditEvent, 'actor' | 'address' | 'requestId'>): Promise<readonly SigningKey[]> {
    const createdAt = clock();
    const spare: SigningKey[] = [];
    for (const algorithm of algorithms)
      spare.push(await makeSigningKey({ use, algorithm, createdAt, activeAt: createdAt + overlap }));
    keys = await store.rotate(use, (present) => {
      const waiting = new Set(present.filter(({ activeAt }) => activeAt > createdAt).map(({ alg }) => alg));
      const made = spare.filter(({ alg }) => !waiting.has(alg));
      return {
        keys: [...present, ...made],
        events: made.map((key) => ({ ...keyEvent('signing-key.created', key), ...by })),
      };
    });
    announce();
    return keys;
  }

  function announce(): void {
    const now = clock();
    const present = algorithms.map((algorithm) => signingNow(keys, algorithm, now)?.kid).join();
    const next = `${present}|${keys.map((key) => key.kid).join()}`;
    if (next === shape) return;
    shape = next;
    onChange();
  }

  function schedule(): void {
    if (closed) return;
    const now = clock();
    const nextTurn = keys.filter((key) => key.activeAt > now).map((key) => key.activeAt - now);
    timer = setTimeout(watch, Math.max(1, Math.min(LOOK_EVERY, ...nextTurn)));
    timer.unref();
  }

  async function watch(): Promise<void> {
    try {
      await refresh();
    } catch (error) {
      if (closed) return;
      // A key whose time has come signs although the store is away: every process knows it since it was published.
      announce();
      options.onFault?.(error);
    }
    schedule();
  }

  function refresh(): Promise<void> {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  return {
    active(algorithm) {
      const key = signingNow(keys, algorithm, clock());
      if (key === undefined) throw new Error(`there is no ${use} key for ${algorithm}`);
      return key;
    },
    all() {
      const now = clock();
      const signing = new Set(algorithms.map((algorithm) => signingNow(keys, algorithm, now)?.kid));
      return keys.toSorted((one, other) => Number(signing.has(other.kid)) - Number(signing.has(one.kid)));
    },
    published() {
      return { keys: this.all().map(publicJwk) };
    },
    async start() {
      await refresh();
      schedule();
    },
    rotateNow,
    refresh,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** The youngest key whose time has come; a retired one where nothing follows it. */
function signingNow(keys: readonly SigningKey[], algorithm: string, now: number): SigningKey | undefined {
  const candidates = keys.filter((key) => key.alg === algorithm && key.activeAt <= now && key.retiredAt === undefined);
  return candidates.toSorted((one, other) => other.activeAt - one.activeAt || (one.kid < other.kid ? -1 : 1))[0];
}

function publicJwk(key: SigningKey): JSONWebKeySet['keys'][number] {
  // The store gives back what makeSigningKey put in: a public JWK.
  return { ...(key.publicJwk as JSONWebKeySet['keys'][number]), kid: key.kid, alg: key.alg, use: 'sig' };
}

function keyEvent(type: AuditEvent['type'], key: SigningKey): AuditEvent {
  return { type, actor: 'system', subject: `signing-key:${key.kid}`, detail: { use: key.use, alg: key.alg } };
}
