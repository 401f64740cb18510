/**
 * Remembers what a function says of texts that come again and again, such as field names: a look-up then takes the place of
 * its work. What is remembered is bounded; once inventions have filled it, the rest is worked out each time. What throws is
 * not remembered.
 */
export function bySpelling<Answer extends NonNullable<unknown>>(
  work: (text: string) => Answer,
): (text: string) => Answer {
  const known = new Map<string, Answer>();
  return function answer(text) {
    const before = known.get(text);
    if (before !== undefined) return before;
    if (text.length > LONGEST_KEPT || known.size >= MOST_SPELLINGS) return work(text);
    const copy = ownCopy(text);
    const worked = work(copy);
    known.set(copy, worked);
    return worked;
  };
}

/** A text of Latin-1 to keep. V8 makes a slice of a longer text a view of it: kept as it is, it would keep the whole head of a message with it. */
export function ownCopy(text: string): string {
  const copy = Buffer.from(text, 'latin1').toString('latin1');
  return copy === text ? copy : text;
}

const MOST_SPELLINGS = 2048;
const LONGEST_KEPT = 64;
