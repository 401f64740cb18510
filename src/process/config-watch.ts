import { stat } from 'node:fs/promises';
import { type FileWatch, watchFiles } from '../certificates/watch-files.ts';

/** Editors and deployments write in several steps; what follows within this time (ms) is one change. */
const DEBOUNCE_MS = 200;
/** Linux stamps files by a clock that is up to a tick behind. */
const CLOCK_LAG_MS = 20;

/** Watches the files a configuration was made from: the file itself, what it refers to, its certificates. */
export class ConfigWatch {
  readonly #onChange: (changed: readonly string[]) => void;
  #watch: FileWatch | undefined;
  #files: ReadonlySet<string> = new Set();

  constructor(onChange: (changed: readonly string[]) => void) {
    this.#onChange = onChange;
  }

  /**
   * Watches these files from now on. `readAt`, ms since the epoch, is when reading them began: a file that is new here and was
   * written since then, before anybody watched it, counts as changed. What was watched already goes on without a gap.
   */
  async follow(files: readonly string[], readAt: number): Promise<void> {
    const wanted = new Set(files);
    const known = this.#files;
    if (wanted.size === known.size && files.every((file) => known.has(file))) return;
    const before = this.#watch;
    const watch = watchFiles([...wanted], this.#onChange, { debounceMs: DEBOUNCE_MS });
    this.#watch = watch;
    this.#files = wanted;
    before?.close();
    const times = await Promise.all(files.map(modifiedAt));
    // A time in the future is no change of now: it would be one for ever.
    const missed = files.filter((_, at) => between(times[at] ?? 0, readAt - CLOCK_LAG_MS, Date.now()));
    if (missed.length > 0 && this.#watch === watch) this.#onChange(missed);
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#files = new Set();
  }
}

function between(time: number, from: number, to: number): boolean {
  return time >= from && time <= to;
}

/** A file that is gone was changed as far as the watch is concerned; it tells of it by itself. */
async function modifiedAt(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch {
    return 0;
  }
}
