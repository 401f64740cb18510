import type { HeaderList } from '../lib/header-list.ts';

/** Takes every unwanted field out of a list, in one pass. The test gets names in the case they came in. */
export function removeFields(headers: HeaderList, isUnwanted: (name: string) => boolean): void {
  const raw = headers.raw;
  let kept = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string; // at < length
    if (isUnwanted(name)) continue;
    if (kept < at) {
      raw[kept] = name;
      raw[kept + 1] = raw[at + 1] as string; // the list has pairs
    }
    kept += 2;
  }
  if (kept < raw.length) raw.length = kept;
}
