/** More labels than any sane configuration has; a reload that renames what is counted must not cost memory for good. */
const MAX_LABELS = 1024;

/** Sums by the value of a label. Past a thousand values, new ones are counted together as `other`. */
export class LabelledTotals {
  readonly #sums = new Map<string, number>();

  add(label: string, by: number): void {
    const known = this.#sums.get(label);
    if (known !== undefined) this.#sums.set(label, known + by);
    else if (this.#sums.size < MAX_LABELS) this.#sums.set(label, by);
    else this.#sums.set(OTHER, (this.#sums.get(OTHER) ?? 0) + by);
  }

  entries(): Iterable<[label: string, sum: number]> {
    return this.#sums;
  }
}

const OTHER = 'other';
