/** What one run of wrk measured. */
export interface WrkReport {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Replies other than 2xx and 3xx, failed connects, reads and writes, and timeouts. */
  readonly errors: number;
}

/** Reads what `wrk --latency` prints; throws where a figure is missing, so that no gap passes for a zero. */
export function parseWrkReport(text: string): WrkReport {
  const total = /(\d+) requests in ([\d.]+)(us|ms|s|m|h),/.exec(text);
  if (total === null) throw new Error(`wrk printed no totals:\n${text}`);
  return {
    requests: Number(total[1]),
    seconds: milliseconds(total[2], total[3]) / 1000,
    p50: latency(text, 50),
    p99: latency(text, 99),
    errors: errors(text),
  };
}

function latency(text: string, percent: number): number {
  const line = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m|h)\\s*$`, 'm').exec(text);
  if (line === null) throw new Error(`wrk printed no ${percent}% latency:\n${text}`);
  return milliseconds(line[1], line[2]);
}

/** wrk prints these two lines only when there is something to report. */
function errors(text: string): number {
  const statuses = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? '0';
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  return [statuses, ...sockets].reduce((sum, count) => sum + Number(count), 0);
}

function milliseconds(value: string | undefined, unit: string | undefined): number {
  const scale = new Map([
    ['us', 0.001],
    ['ms', 1],
    ['s', 1000],
    ['m', 60_000],
    ['h', 3_600_000],
  ]).get(unit ?? '');
  if (scale === undefined) throw new Error(`wrk printed an unknown unit of time: ${unit}`);
  return Number(value) * scale;
}
