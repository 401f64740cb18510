import type { JsonObject } from '../lib/json.ts';

/** What a watch finds unusual about a key. */
export type AnomalyReason = 'new-network' | 'sudden-rate' | 'many-refusals' | 'long-sleep';

export interface Anomaly {
  readonly reason: AnomalyReason;
  /** Numbers and networks for whoever looks into it. */
  readonly detail: JsonObject;
}

/** What is remembered of one key. All times are milliseconds since the epoch. */
export interface KeyMemory {
  /** The networks it came from, the most recent last, bounded. */
  networks: readonly string[];
  /** Its last use; before the first one, its creation. */
  lastActiveAt: number;
  /** The minute that is counted at present, and the uses in it. */
  minute: number;
  usesInMinute: number;
  /** A moving average of uses in the minutes it was used in at all, and how many minutes that were. */
  usualUses: number;
  usedMinutes: number;
  refusalsSince: number;
  refusals: number;
  /** When each reason was last told of: at most once an hour. */
  readonly toldAt: Map<AnomalyReason, number>;
}

/** What the records know of a key whose memory is empty, as after a restart. */
export interface KeyPast {
  readonly createdAt: number;
  readonly lastUsedAt: number | undefined;
  readonly lastNetwork: string | undefined;
}

/** A batch of uses of one key. */
export interface UsesOfKey {
  readonly uses: number;
  readonly at: number;
  readonly networks: readonly string[];
}

export function newKeyMemory(past: KeyPast): KeyMemory {
  return {
    networks: past.lastNetwork === undefined ? [] : [past.lastNetwork],
    lastActiveAt: past.lastUsedAt ?? past.createdAt,
    minute: 0,
    usesInMinute: 0,
    usualUses: 0,
    usedMinutes: 0,
    refusalsSince: 0,
    refusals: 0,
    toldAt: new Map(),
  };
}

/** Judges a batch of uses by what is remembered, and remembers it. */
export function judgeUses(memory: KeyMemory, batch: UsesOfKey): readonly Anomaly[] {
  const found: Anomaly[] = [];
  const slept = batch.at - memory.lastActiveAt;
  if (slept >= LONG_SLEEP_MS) tell(memory, found, batch.at, 'long-sleep', { days: Math.floor(slept / DAY_MS) });
  memory.lastActiveAt = Math.max(memory.lastActiveAt, batch.at);
  judgeNetworks(memory, found, batch);
  judgeRate(memory, found, batch);
  return found;
}

/** Judges refusals of a key, whichever the reasons, and remembers them. */
export function judgeRefusals(
  memory: KeyMemory,
  batch: { readonly count: number; readonly at: number },
): readonly Anomaly[] {
  if (batch.at - memory.refusalsSince >= REFUSAL_WINDOW_MS) {
    memory.refusalsSince = batch.at;
    memory.refusals = 0;
  }
  memory.refusals += batch.count;
  const found: Anomaly[] = [];
  if (memory.refusals >= MANY_REFUSALS)
    tell(memory, found, batch.at, 'many-refusals', {
      refusals: memory.refusals,
      minutes: REFUSAL_WINDOW_MS / MINUTE_MS,
    });
  return found;
}

/** The first network a key is ever used from is nothing unusual. */
function judgeNetworks(memory: KeyMemory, found: Anomaly[], batch: UsesOfKey): void {
  const strange =
    memory.networks.length === 0 ? [] : batch.networks.filter((network) => !memory.networks.includes(network));
  if (strange.length > 0) tell(memory, found, batch.at, 'new-network', { networks: strange.slice(0, 4) });
  const others = memory.networks.filter((network) => !batch.networks.includes(network));
  memory.networks = [...others, ...batch.networks].slice(-MOST_NETWORKS);
}

/**
 * Compares the minute with the usual one. Minutes without use do not count: a key that works in bursts, once a night, would
 * otherwise look strange each time.
 */
function judgeRate(memory: KeyMemory, found: Anomaly[], batch: UsesOfKey): void {
  const minute = Math.floor(batch.at / MINUTE_MS);
  if (minute > memory.minute) {
    if (memory.usesInMinute > 0) {
      memory.usedMinutes += 1;
      const weight = 1 / Math.min(memory.usedMinutes, AVERAGED_MINUTES);
      memory.usualUses += (memory.usesInMinute - memory.usualUses) * weight;
    }
    memory.minute = minute;
    memory.usesInMinute = 0;
  }
  memory.usesInMinute += batch.uses;
  const known = memory.usedMinutes >= LEARNING_MINUTES;
  if (known && memory.usesInMinute >= Math.max(SUDDEN_USES, SUDDEN_FACTOR * memory.usualUses))
    tell(memory, found, batch.at, 'sudden-rate', {
      usesInMinute: memory.usesInMinute,
      usual: Math.round(memory.usualUses),
    });
}

function tell(memory: KeyMemory, found: Anomaly[], at: number, reason: AnomalyReason, detail: JsonObject): void {
  const before = memory.toldAt.get(reason);
  if (before !== undefined && at - before < TELL_AGAIN_MS) return;
  memory.toldAt.set(reason, at);
  found.push({ reason, detail });
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const LONG_SLEEP_MS = 30 * DAY_MS;
/** Enough for offices, homes and a mobile network or two; what roams over more is told of once an hour. */
const MOST_NETWORKS = 16;
const AVERAGED_MINUTES = 60;
/** Before so many minutes with uses nobody can say what is usual. */
const LEARNING_MINUTES = 10;
const SUDDEN_FACTOR = 10;
/** Below it a rate is nothing to speak of, whatever was usual. */
const SUDDEN_USES = 300;
const REFUSAL_WINDOW_MS = 10 * MINUTE_MS;
const MANY_REFUSALS = 20;
const TELL_AGAIN_MS = 60 * MINUTE_MS;
