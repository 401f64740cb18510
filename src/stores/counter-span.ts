/** Throws RangeError for a time that would make an entry end before it begins, and so let everything pass. */
export function checkSpan(ms: number): void {
  if (Number.isFinite(ms) && ms >= 1) return;
  throw new RangeError('What is counted must last for a millisecond or more.');
}
