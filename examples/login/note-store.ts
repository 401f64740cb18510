export interface Note {
  readonly id: number;
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Notes in memory, newest first, for a bounded number of people. */
export class NoteStore {
  readonly #notes = new Map<string, Note[]>();
  #lastId = 0;

  of(owner: string): readonly Note[] {
    return this.#notes.get(owner) ?? [];
  }

  /** Undefined where there is no room for another. */
  add(owner: string, text: string): Note | undefined {
    const own = this.#notes.get(owner) ?? [];
    if (own.length >= MOST_NOTES || (own.length === 0 && this.#notes.size >= MOST_OWNERS)) return undefined;
    this.#lastId += 1;
    const note = { id: this.#lastId, text, at: new Date().toISOString() };
    this.#notes.set(owner, [note, ...own]);
    return note;
  }

  remove(owner: string, id: number): boolean {
    const own = this.#notes.get(owner) ?? [];
    const rest = own.filter((note) => note.id !== id);
    if (rest.length === 0) this.#notes.delete(owner);
    else this.#notes.set(owner, rest);
    return rest.length < own.length;
  }
}

const MOST_NOTES = 100;
const MOST_OWNERS = 1_000;
