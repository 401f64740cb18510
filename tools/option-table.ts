/** A node of a JSON Schema, as far as the tables tell of it. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

export interface TablePlan {
  /** Where the node stands in the file, such as `listeners[]`; empty for the file itself. */
  readonly path: string;
  /** Keys that have a row, but whose own options stand in another table. */
  readonly elsewhere?: ReadonlySet<string>;
  /** The page that explains how values are written, seen from the page of the table; empty where it is that page. */
  readonly valuesPage: string;
}

/** The Markdown table of every option below a node, one a row, in the order of the schema. */
export function optionTable(node: SchemaNode, plan: TablePlan): string {
  const rows = rowsBelow(node, plan);
  if (rows.length === 0) return 'It has no options.';
  return ['| option | type | default | what it does |', '|---|---|---|---|', ...rows].join('\n');
}

function rowsBelow(node: SchemaNode, plan: TablePlan): readonly string[] {
  const { path, elsewhere, valuesPage } = plan;
  const required = new Set(node.required ?? []);
  const own = Object.entries(node.properties ?? {}).flatMap(([key, option]) => {
    const at = path === '' ? key : `${path}.${key}`;
    const row = `| \`${at}\` | ${cell(typeOf(option).replaceAll('(#values)', `(${valuesPage}#values)`))} | ${cell(defaultOf(option, required.has(key)))} | ${cell(option.description ?? '')} |`;
    return [row, ...(elsewhere?.has(key) ? [] : rowsBelow(option, { path: at, valuesPage }))];
  });
  const items = node.items === undefined ? [] : rowsBelow(node.items, { path: `${path}[]`, valuesPage });
  const named = isNode(node.additionalProperties)
    ? rowsBelow(node.additionalProperties, { path: `${path}.<name>`, valuesPage })
    : [];
  const either = (node.anyOf ?? []).flatMap((alternative) => rowsBelow(alternative, { path, valuesPage }));
  return [...own, ...items, ...named, ...either];
}

function typeOf(node: SchemaNode): string {
  if (node.const !== undefined) return code(node.const);
  if (node.enum !== undefined) return node.enum.map(code).join(', ');
  if (node.anyOf !== undefined) return alternatives(node.anyOf);
  if (node.pattern?.includes('ms|s|m|h|d')) return '[duration](#values)';
  if (node.pattern?.includes('KiB|MiB|GiB')) return '[size](#values)';
  if (node.type === 'array') return node.items === undefined ? 'list' : `list of: ${typeOf(node.items)}`;
  if (node.type === 'object') return isNode(node.additionalProperties) ? 'object, by name' : 'object';
  if (node.minimum !== undefined || node.maximum !== undefined) return `${node.type ?? 'number'}, ${range(node)}`;
  return node.type ?? 'anything';
}

/** A size may also be written as a plain number, which the entry on values says once for all of them. */
function alternatives(nodes: readonly SchemaNode[]): string {
  const types = [...new Set(nodes.map(typeOf))];
  const sizes = types.find((type) => type.startsWith('[size]'));
  return sizes ?? types.join(' or ');
}

/** Bounds no one writes, such as the largest safe integer, are left out. */
function range({ minimum, maximum }: SchemaNode): string {
  const from = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const to = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (from !== undefined && to !== undefined) return `${from} to ${to}`;
  return to === undefined ? `at least ${from ?? 'any'}` : `at most ${to}`;
}

function defaultOf(node: SchemaNode, required: boolean): string {
  if (required) return '**required**';
  if (node.default === undefined || JSON.stringify(node.default) === '{}') return '–';
  if (Array.isArray(node.default)) return node.default.length === 0 ? 'none' : node.default.map(code).join(', ');
  return code(node.default);
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** A line break or a bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s+/g, ' ').trim();
}

function isNode(value: SchemaNode | boolean | undefined): value is SchemaNode {
  return typeof value === 'object' && Object.keys(value).length > 0;
}
