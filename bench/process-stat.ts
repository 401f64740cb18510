/** What one line of /proc/<pid>/stat says of a process, all of its threads included (proc_pid_stat(5)). */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time in clock ticks, that of children already waited for included. */
  readonly ticks: number;
  /** Clock ticks after boot; with the pid it names a process beyond doubt, a pid alone is reused. */
  readonly startedAt: number;
  /** It has ended and only waits for its parent to notice. */
  readonly zombie: boolean;
}

/** Throws on a line that is not one of /proc/<pid>/stat. */
export function parseProcessStat(line: string): ProcessStat {
  // The name stands in parentheses and may itself hold parentheses, spaces and newlines: only the last `)` ends it.
  const nameEnd = line.lastIndexOf(')');
  const pid = Number.parseInt(line, 10);
  const fields = line.slice(nameEnd + 2).split(' ');
  const field = (number: number): number => Number(fields[number - FIRST_AFTER_NAME]);
  const parent = field(4);
  const ticks = field(14) + field(15) + field(16) + field(17);
  const startedAt = field(22);
  if (nameEnd < 0 || ![pid, parent, ticks, startedAt].every(Number.isInteger)) {
    throw new Error(`not a line of /proc/<pid>/stat: ${JSON.stringify(line.slice(0, 80))}`);
  }
  return { pid, parent, ticks, startedAt, zombie: fields[0] === 'Z' };
}

const FIRST_AFTER_NAME = 3;

/** The process `root` and all that descend from it, `root` first; empty where it is gone. */
export function processTree(all: readonly ProcessStat[], root: number): readonly ProcessStat[] {
  const tree = all.filter((one) => one.pid === root);
  for (let at = 0; at < tree.length; at++) tree.push(...all.filter((one) => one.parent === tree[at]?.pid));
  return tree;
}
