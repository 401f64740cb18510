import type { MetricFamily, MetricsSnapshot, MetricValue } from './metric-families.ts';

/** Workers that are remembered one by one; of those that were gone before them only the sum is kept. */
const MOST_REMEMBERED = 32;
/** The most values that sum may hold, a guard against reloads that rename routes between crashes. */
const MOST_VALUES = 50_000;

/**
 * Keeps what workers had counted when they answered last. Without it the sum over all workers would fall when one crashes or
 * answers too late, and Prometheus would take that for a restart of the counter and see a burst of requests that never was.
 */
export class DepartedWorkers {
  readonly #last = new Map<string, readonly MetricFamily[]>();
  #sum: readonly MetricFamily[] = [];

  /** Notes what these workers have counted; returns what those had that are not among them. */
  follow(snapshots: readonly MetricsSnapshot[]): readonly (readonly MetricFamily[])[] {
    for (const { source, families } of snapshots) {
      this.#last.delete(source); // the longest gone stand first
      this.#last.set(
        source,
        families.filter(({ type }) => type !== 'gauge'),
      );
    }
    const present = new Set(snapshots.map(({ source }) => source));
    const absent = [...this.#last].filter(([source]) => !present.has(source));
    for (const [source, families] of absent.splice(0, absent.length - MOST_REMEMBERED)) {
      this.#sum = sumOf([...this.#sum, ...families]);
      this.#last.delete(source);
    }
    return [this.#sum, ...absent.map(([, families]) => families)];
  }
}

function sumOf(families: readonly MetricFamily[]): readonly MetricFamily[] {
  const sums = new Map<string, { family: MetricFamily; values: Map<string, MetricValue> }>();
  let values = 0;
  for (const family of families) {
    const sum = sums.get(family.name) ?? { family, values: new Map<string, MetricValue>() };
    sums.set(family.name, sum);
    for (const one of family.values) {
      const key = JSON.stringify([one.metricName, one.labels]);
      const known = sum.values.get(key);
      if (known === undefined) values += 1;
      sum.values.set(key, known === undefined ? one : { ...one, value: known.value + one.value });
    }
  }
  if (values > MOST_VALUES) return [];
  return Array.from(sums.values(), (sum) => ({ ...sum.family, values: [...sum.values.values()] }));
}
