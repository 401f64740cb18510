import { stat } from 'node:fs/promises';
import { type FileWatch, watchFiles } from '../certificates/watch-files.ts';

/** Editors and deployments write in several steps; what follows within this time (ms) is one change. */
const DEBOUNCE_MS = 200;

/** Watches the files a configuration was made from: the file itself, what it refers to, its certificates. */
export class ConfigWatch {
  readonly #onChange: (changed: readonly string[]) => void;
  #watch: FileWatch | undefined;

  constructor(onChange: (changed: readonly string[]) => void) {
    this.#onChange = onChange;
  }

  /**
   * Watches these files from now on. `readAt`, ms since the epoch, is when reading them began: a file that was written
   * since then, before anybody watched, counts as changed.
   */
  async follow(files: readonly string[], readAt: number): Promise<void> {
    this.close();
    const watch = watchFiles([...new Set(files)], this.#onChange, { debounceMs: DEBOUNCE_MS });
    this.#watch = watch;
    const times = await Promise.all(files.map(modifiedAt));
    // A time in the future is no change of now: it would be one for ever.
    const missed = files.filter((_, at) => between(times[at] ?? 0, readAt, Date.now()));
    if (missed.length > 0 && this.#watch === watch) this.#onChange(missed);
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
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
