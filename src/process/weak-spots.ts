import type { Loaded } from '../config/load.ts';
import type { Log } from '../observe/log.ts';

/** What works and is hardly meant, for the log: it stops no configuration. */
export function tellWeakSpots(log: Log, { warnings }: Loaded): void {
  for (const { path, line, message, hint } of warnings)
    log.warn({ path, line, warning: message, hint }, 'the configuration has a weak spot');
}
