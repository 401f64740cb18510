export interface Widget {
  readonly id: number;
  readonly name: string;
  readonly colour: Colour;
  /** Euro cents. */
  readonly price: number;
}

export type WidgetInput = Omit<Widget, 'id'>;

export const colours = ['red', 'green', 'blue', 'grey'] as const;
export type Colour = (typeof colours)[number];

export interface WidgetPage {
  readonly items: readonly Widget[];
  readonly total: number;
  /** The `after` of the next page; null on the last one. */
  readonly next: number | null;
}

/** Widgets in memory, with a few to begin with. `changed` hears of every change. */
export class WidgetStore {
  readonly #widgets = new Map<number, Widget>();
  readonly #changed: (kind: 'created' | 'updated' | 'deleted', widget: Widget) => void;
  #lastId = 0;

  constructor(changed: (kind: 'created' | 'updated' | 'deleted', widget: Widget) => void) {
    this.#changed = changed;
    for (const widget of SEED) this.#put(widget);
  }

  /** Up to `limit` widgets in the order of their ids, beginning behind `after`. */
  list(page: { readonly after: number; readonly limit: number }): WidgetPage {
    const all = [...this.#widgets.values()].filter(({ id }) => id > page.after);
    const items = all.slice(0, page.limit);
    const last = items.at(-1);
    return { items, total: this.#widgets.size, next: last !== undefined && all.length > items.length ? last.id : null };
  }

  get(id: number): Widget | undefined {
    return this.#widgets.get(id);
  }

  /** Undefined where the store is full: a demo holds what it can hold, whoever calls it. */
  create(input: WidgetInput): Widget | undefined {
    if (this.#widgets.size >= MOST_WIDGETS) return undefined;
    const widget = this.#put(input);
    this.#changed('created', widget);
    return widget;
  }

  update(id: number, input: WidgetInput): Widget | undefined {
    if (!this.#widgets.has(id)) return undefined;
    const widget = { id, ...input };
    this.#widgets.set(id, widget);
    this.#changed('updated', widget);
    return widget;
  }

  delete(id: number): boolean {
    const widget = this.#widgets.get(id);
    if (widget === undefined) return false;
    this.#widgets.delete(id);
    this.#changed('deleted', widget);
    return true;
  }

  #put(input: WidgetInput): Widget {
    this.#lastId += 1;
    const widget = { id: this.#lastId, ...input };
    this.#widgets.set(widget.id, widget);
    return widget;
  }
}

const MOST_WIDGETS = 10_000;

const SEED: readonly WidgetInput[] = [
  { name: 'Sprocket', colour: 'grey', price: 450 },
  { name: 'Flange', colour: 'blue', price: 1_299 },
  { name: 'Grommet', colour: 'green', price: 80 },
  { name: 'Bushing', colour: 'grey', price: 215 },
  { name: 'Ratchet', colour: 'red', price: 2_950 },
];
