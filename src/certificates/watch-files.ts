import { type BigIntStats, type FSWatcher, statSync, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface WatchOptions {
  /** Milliseconds the files must have kept still before a change is told; a pair is replaced one file after the other. */
  readonly debounceMs: number;
  /** Milliseconds between two looks where the system gives no hint. */
  readonly pollMs?: number;
}

export interface FileWatch {
  close(): void;
}

/**
 * Calls `onChange` with the changed paths when files were written, replaced or removed; it must not throw.
 * Begin to watch before the files are read: what changes after this call is told.
 *
 * The truth is a regular stat(2) of each path: it follows links, so it sees an atomic rename and the swap of
 * Kubernetes' `..data` link as a new inode, and it works on network file systems. fs.watch on the directories
 * (a watch on the file itself would follow the old inode) only says that a look is due before the next poll.
 * Neither keeps the process alive.
 */
export function watchFiles(
  paths: readonly string[],
  onChange: (changed: readonly string[]) => void,
  options: WatchOptions,
): FileWatch {
  let closed = false;
  let told = snapshotNow(paths); // what onChange knows of
  let seen = told;
  let looking = false;
  let lookAgain = false;
  let settle: NodeJS.Timeout | undefined;
  const poll = setInterval(requestLook, options.pollMs ?? DEFAULT_POLL).unref();
  const hints = watchDirectories(paths, requestLook);
  requestLook();

  function requestLook(): void {
    if (looking) lookAgain = true;
    else void look();
  }

  /** One at a time, so that an older picture never overwrites a newer one. */
  async function look(): Promise<void> {
    looking = true;
    do {
      lookAgain = false;
      compare(await snapshot(paths));
    } while (lookAgain && !closed);
    looking = false;
  }

  function compare(current: Snapshot): void {
    if (closed) return;
    if (changes(seen, current).length === 0) return;
    seen = current;
    clearTimeout(settle);
    settle = setTimeout(confirm, options.debounceMs).unref();
  }

  /** The quiet time is over: one more look decides whether the files kept still through it. */
  async function confirm(): Promise<void> {
    const current = await snapshot(paths);
    if (closed) return;
    if (changes(seen, current).length > 0) {
      compare(current);
      return;
    }
    const changed = changes(told, current);
    told = current;
    if (changed.length > 0) onChange(changed);
  }

  return {
    close(): void {
      closed = true;
      clearInterval(poll);
      clearTimeout(settle);
      for (const hint of hints) hint.close();
    },
  };
}

type Snapshot = ReadonlyMap<string, string>;

async function snapshot(paths: readonly string[]): Promise<Snapshot> {
  return new Map(await Promise.all(paths.map(async (path) => [path, fingerprint(await statOf(path))] as const)));
}

function snapshotNow(paths: readonly string[]): Snapshot {
  return new Map(paths.map((path) => [path, fingerprint(statNow(path))]));
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  return await stat(path, { bigint: true }).catch(() => undefined);
}

function statNow(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** ctime is in it because a writer can set mtime back; the inode because a replaced file may keep both size and time. */
function fingerprint(stats: BigIntStats | undefined): string {
  return stats === undefined
    ? 'unreadable'
    : `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

function changes(before: Snapshot, after: Snapshot): readonly string[] {
  return [...after].filter(([path, print]) => before.get(path) !== print).map(([path]) => path);
}

/** Hints only: where a directory cannot be watched (no inotify left, not there yet) the poll does the work. */
function watchDirectories(paths: readonly string[], onHint: () => void): readonly FSWatcher[] {
  const watchers: FSWatcher[] = [];
  for (const directory of new Set(paths.map((path) => dirname(path)))) {
    try {
      const watcher = watch(directory, { persistent: false }, onHint);
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch {
      // See above.
    }
  }
  return watchers;
}

const DEFAULT_POLL = 5000;
