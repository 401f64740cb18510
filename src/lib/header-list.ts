import { lowerCaseName } from './http-fields.ts';

/**
 * A flat list of header names and values, in the order and case they came in: `[name, value, name, value, …]`,
 * the form Node and undici speak. Look-ups scan it: for the few dozen fields of a real message that is
 * cheaper than building an index, and the listeners bound the number of fields.
 * Names given to its methods are lower case.
 */
export class HeaderList {
  readonly raw: string[];

  constructor(raw: string[]) {
    this.raw = raw;
  }

  /** The first value of a field, or undefined. */
  get(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : this.raw[at + 1];
  }

  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  /** All values of a field in their order. */
  all(name: string): readonly string[] {
    let at = this.#find(name, 0);
    if (at < 0) return NONE;
    const values: string[] = [];
    for (; at >= 0; at = this.#find(name, at + 2)) values.push(this.raw[at + 1] ?? '');
    return values;
  }

  /** All values of a field as one list (RFC 9110 §5.3), or undefined. */
  joined(name: string): string | undefined {
    const at = this.#find(name, 0);
    if (at < 0) return undefined;
    let list = this.raw[at + 1] ?? '';
    for (let next = this.#find(name, at + 2); next >= 0; next = this.#find(name, next + 2))
      list += `, ${this.raw[next + 1]}`;
    return list;
  }

  append(name: string, value: string): void {
    this.raw.push(name, value);
  }

  /** Replaces all fields of this name by one. */
  set(name: string, value: string): void {
    const lower = lowerCaseName(name);
    const at = this.#find(lower, 0);
    if (at < 0) {
      this.raw.push(name, value);
      return;
    }
    this.raw[at] = name;
    this.raw[at + 1] = value;
    this.#removeFrom(lower, at + 2);
  }

  remove(name: string): void {
    this.#removeFrom(name, 0);
  }

  #find(name: string, from: number): number {
    const raw = this.raw;
    for (let at = from; at < raw.length; at += 2) {
      const candidate = raw[at] as string; // at < length
      if (candidate.length === name.length && (candidate === name || lowerCaseName(candidate) === name)) return at;
    }
    return -1;
  }

  #removeFrom(name: string, from: number): void {
    for (let at = this.#find(name, from); at >= 0; at = this.#find(name, at)) this.raw.splice(at, 2);
  }
}

const NONE: readonly string[] = Object.freeze([]);
