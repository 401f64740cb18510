/** Running sums of one route, method and status, kept as plain numbers; they become metrics only when somebody asks. */
export interface Series {
  readonly labels: SeriesLabels;
  count: number;
  readonly duration: Sums;
  readonly upstream: Sums;
  bytesIn: number;
  bytesOut: number;
}

export interface SeriesLabels {
  readonly listener: string;
  readonly api: string;
  readonly route: string;
  readonly method: string;
  readonly status: string;
}

/** A histogram: `buckets` counts what fell between one bound and the next, the last place what was above all. */
export interface Sums {
  count: number;
  seconds: number;
  readonly buckets: number[];
}

/** Upper bounds in seconds. */
export const BOUNDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function newSeries(labels: SeriesLabels): Series {
  return { labels, count: 0, duration: newSums(), upstream: newSums(), bytesIn: 0, bytesOut: 0 };
}

export function newSums(): Sums {
  return { count: 0, seconds: 0, buckets: new Array<number>(BOUNDS.length + 1).fill(0) };
}

export function observeSeconds(sums: Sums, seconds: number): void {
  let at = 0;
  while (at < BOUNDS.length && seconds > (BOUNDS[at] as number)) at += 1; // at < length
  sums.count += 1;
  sums.seconds += seconds;
  sums.buckets[at] = (sums.buckets[at] ?? 0) + 1;
}

export function addSums(to: Sums, from: Sums): void {
  to.count += from.count;
  to.seconds += from.seconds;
  for (const [at, count] of from.buckets.entries()) to.buckets[at] = (to.buckets[at] ?? 0) + count;
}

/** All series by their labels, in copies: two generations of a route are one series to the outside. */
export function mergeSeries(generations: Iterable<Iterable<Series>>): Map<string, Series> {
  const merged = new Map<string, Series>();
  for (const generation of generations) {
    for (const series of generation) {
      const key = JSON.stringify(series.labels);
      let sum = merged.get(key);
      if (sum === undefined) {
        sum = newSeries(series.labels);
        merged.set(key, sum);
      }
      sum.count += series.count;
      sum.bytesIn += series.bytesIn;
      sum.bytesOut += series.bytesOut;
      addSums(sum.duration, series.duration);
      addSums(sum.upstream, series.upstream);
    }
  }
  return merged;
}
