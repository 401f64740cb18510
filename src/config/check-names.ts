import type { RawFault } from './faults.ts';
import type { Part } from './parse.ts';

/** Names stand in logs, metrics and commands: each must mean one thing. */
export function repeatedNames(parts: readonly Part<unknown>[], what: string): RawFault[] {
  const seen = new Set<string>();
  const faults: RawFault[] = [];
  for (const { name, path } of parts) {
    if (name === undefined) continue;
    if (seen.has(name)) {
      faults.push({
        path: [...path, 'name'],
        subject: name,
        message: `names another ${what} already`,
        hint: 'choose another name',
      });
    }
    seen.add(name);
  }
  return faults;
}
