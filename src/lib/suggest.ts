/**
 * The candidate a mistyped word most likely meant, or undefined where none is near. Case, `-` and `_` do not
 * count as differences; beyond them about one edit in three letters is forgiven.
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = fold(word.slice(0, LONGEST));
  if (wanted === '') return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, fold(candidate.slice(0, LONGEST)), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Letters to insert, delete, replace or swap with their neighbour; `atLeast` is answered once that many are certain. */
export function editDistance(a: string, b: string, atLeast = Number.POSITIVE_INFINITY): number {
  if (Math.abs(a.length - b.length) >= atLeast) return atLeast;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      }
      current.push(cost);
    }
    if (Math.min(...current) >= atLeast) return atLeast;
    beforeLast = last;
    last = current;
  }
  return Math.min(at(last, b.length), atLeast);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Names are short; a longer word is compared by its beginning, so that a hostile one costs little. */
const LONGEST = 64;
