/**
 * How long a connection has waited for the same thing, as seen by the sweep: the time is looked at once a sweep and not with
 * every request, so a wait may be taken for one sweep shorter than it was. Times are milliseconds of `performance.now()`.
 */
export class Patience {
  #since = -1;
  #mark = 0;

  /** What is waited for has changed. */
  renew(): void {
    this.#since = -1;
  }

  /** Whether `allowed` milliseconds have passed since it was renewed. */
  isOver(now: number, allowed: number): boolean {
    if (this.#since < 0) this.#since = now;
    return now - this.#since >= allowed;
  }

  /** The same, where any change of `mark` is progress. */
  isOverSince(mark: number, now: number, allowed: number): boolean {
    if (mark !== this.#mark) this.#since = -1;
    this.#mark = mark;
    return this.isOver(now, allowed);
  }
}
