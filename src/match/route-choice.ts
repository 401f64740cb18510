import type { HeaderList } from '../lib/header-list.ts';

/** A header field a request must have. Repeated fields count as their one combined value (RFC 9110 §5.3). */
export interface HeaderCondition {
  /** Lower case. */
  readonly name: string;
  /** Compared as it is, case included. */
  readonly value: string;
}

/** One look-up: what it goes by, and what it was turned away with. */
export class Search {
  readonly method: string;
  readonly headers: HeaderList;
  /** Methods for which something is published where only the method was in the way; undefined for none. */
  allowed: Set<string> | undefined;

  constructor(method: string, headers: HeaderList) {
    this.method = method;
    this.headers = headers;
    this.allowed = undefined;
  }
}

/**
 * The routes that share one host and path pattern, told apart by header conditions and method. More conditions come before
 * fewer; of equally many different fields, those of the route configured first. Choosing is a look-up for each set of field
 * names, however many values of them have routes.
 */
export class RouteChoice<Entry> {
  readonly #groups: HeaderGroup<Entry>[] = [];

  /** Of two routes with the very same conditions and method the first stays. The configuration refuses such pairs. */
  add(headers: readonly HeaderCondition[], methods: readonly string[] | undefined, entry: Entry): void {
    const sorted = sortedConditions(headers);
    const names = sorted.map((condition) => condition.name);
    const values = combine(sorted.map((condition) => condition.value));
    let group = this.#groups.find((other) => combine(other.names) === combine(names));
    if (group === undefined) {
      group = { names, tables: new Map() };
      this.#groups.push(group);
      this.#groups.sort((a, b) => b.names.length - a.names.length); // stable
    }
    let table = group.tables.get(values);
    if (table === undefined) {
      table = { methods: new Map(), any: undefined };
      group.tables.set(values, table);
    }
    if (methods === undefined) table.any ??= entry;
    for (const method of methods ?? []) if (!table.methods.has(method)) table.methods.set(method, entry);
  }

  /**
   * The route for a request: a named method before any method, and for HEAD the GET route between them
   * (RFC 9110 §9.3.2).
   */
  choose(search: Search): Entry | undefined {
    for (const group of this.#groups) {
      const values = group.names.length === 0 ? '' : requestValues(group.names, search.headers);
      const table = values === undefined ? undefined : group.tables.get(values);
      if (table === undefined) continue;
      const named =
        table.methods.get(search.method) ?? (search.method === 'HEAD' ? table.methods.get('GET') : undefined);
      const entry = named ?? table.any;
      if (entry !== undefined) return entry;
      search.allowed ??= new Set();
      for (const method of table.methods.keys()) search.allowed.add(method);
    }
    return undefined;
  }
}

/**
 * The conditions with lower-case names, in the order of the names and each once. Throws for two values of one
 * field, which no request can have both, and for characters no field value has.
 */
function sortedConditions(headers: readonly HeaderCondition[]): readonly HeaderCondition[] {
  const byName = new Map<string, HeaderCondition>();
  for (const { name: written, value } of headers) {
    const name = written.toLowerCase();
    const other = byName.get(name);
    if (other !== undefined && other.value !== value)
      throw new Error(`a route asks for two values of the field ${name}`);
    if (NOT_IN_FIELDS.test(value)) throw new Error(`a route asks for a value of ${name} that no field can have`);
    byName.set(name, { name, value });
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface HeaderGroup<Entry> {
  readonly names: readonly string[];
  /** By the combined values of these fields; a Map, since values may be called `__proto__`. */
  readonly tables: Map<string, MethodTable<Entry>>;
}

interface MethodTable<Entry> {
  readonly methods: Map<string, Entry>;
  any: Entry | undefined;
}

function requestValues(names: readonly string[], headers: HeaderList): string | undefined {
  const values: string[] = [];
  for (const name of names) {
    const fields = headers.all(name);
    if (fields.length === 0) return undefined;
    values.push(fields.join(', '));
  }
  return combine(values);
}

/** Unambiguous, since no field holds a line feed. */
function combine(parts: readonly string[]): string {
  return parts.join('\n');
}

/** RFC 9110 §5.5. */
const NOT_IN_FIELDS = /[\0\r\n]/;
