import type { ResolvedSecret } from './references.ts';

/** Writes the reference wherever a text has the value that came from it. */
export type Redactor = (text: string) => string;

/**
 * Makes a redactor for all values that are long enough to be told from ordinary words. Its time grows with the text,
 * not with the number of values: a file may have thousands of either.
 */
export function redactor(secrets: readonly Pick<ResolvedSecret, 'value' | 'written'>[]): Redactor {
  const byBeginning = new Map<string, Candidates>();
  for (const { value, written } of secrets) {
    // Messages quote values as JSON does.
    for (const form of [value, JSON.stringify(value).slice(1, -1)]) {
      if (form.length < SHORTEST) continue;
      const beginning = form.slice(0, SHORTEST);
      const candidates = byBeginning.get(beginning) ?? { lengths: new Set(), written: new Map() };
      candidates.lengths.add(form.length);
      candidates.written.set(form, written);
      byBeginning.set(beginning, candidates);
    }
  }
  return (text) => (byBeginning.size === 0 ? text : replaceAll(text, byBeginning));
}

/** Values with the same beginning. */
interface Candidates {
  readonly lengths: Set<number>;
  readonly written: Map<string, string>;
}

function replaceAll(text: string, byBeginning: ReadonlyMap<string, Candidates>): string {
  let redacted = '';
  let at = 0;
  while (at < text.length) {
    const candidates = byBeginning.get(text.slice(at, at + SHORTEST));
    const found = candidates === undefined ? undefined : longestAt(text, at, candidates);
    redacted += found?.written ?? text[at];
    at += found?.length ?? 1;
  }
  return redacted;
}

function longestAt(
  text: string,
  at: number,
  candidates: Candidates,
): { readonly length: number; readonly written: string } | undefined {
  let found: { readonly length: number; readonly written: string } | undefined;
  for (const length of candidates.lengths) {
    if (found !== undefined && found.length >= length) continue;
    const written = candidates.written.get(text.slice(at, at + length));
    if (written !== undefined) found = { length, written };
  }
  return found;
}

const SHORTEST = 4;
