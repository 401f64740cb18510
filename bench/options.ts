import { parseArgs } from 'node:util';

/** How large a run is. */
export interface Options {
  /** Names of the peers to run; undefined for all. */
  readonly only: readonly string[] | undefined;
  /** The tables to make; undefined for all. */
  readonly tables: readonly TableName[] | undefined;
  readonly quick: boolean;
  readonly warmUpSeconds: number;
  readonly roundSeconds: number;
  readonly rounds: number;
  readonly starts: number;
  readonly idleConnections: readonly number[];
  /** Tokens of a round of first uses. */
  readonly firstUses: number;
  /** Keys in the store, a row of the table each. */
  readonly keys: readonly number[];
  /** The run is cut off after this long; the tables that are complete by then are kept. */
  readonly deadlineSeconds: number;
}

/** As given to `--tables`, in the order of the report. */
export const TABLES = ['plain', 'secured', 'keys', 'memory', 'startup', 'routes'] as const;

export type TableName = (typeof TABLES)[number];

/** Reads the command line; throws a sentence for the user on anything it does not know. */
export function readOptions(argv: readonly string[], known: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    strict: true,
    options: {
      only: { type: 'string' },
      tables: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  });
  const size = values.quick ? QUICK : FULL;
  const roundSeconds = values.seconds === undefined ? size.roundSeconds : readSeconds(values.seconds);
  const longerBy = Math.max(0, roundSeconds - size.roundSeconds) * size.rounds * known.length;
  return {
    ...size,
    only: values.only === undefined ? undefined : readNames('only', values.only, known),
    tables: values.tables === undefined ? undefined : readNames('tables', values.tables, TABLES),
    quick: values.quick,
    roundSeconds,
    deadlineSeconds: size.deadlineSeconds + longerBy,
  };
}

const FULL = {
  warmUpSeconds: 3,
  roundSeconds: 5,
  rounds: 5,
  starts: 5,
  idleConnections: [1_000, 10_000],
  firstUses: 8_000,
  keys: [1_000, 1_000_000],
  deadlineSeconds: 1_500,
};
const QUICK = {
  warmUpSeconds: 2,
  roundSeconds: 2,
  rounds: 3,
  starts: 5,
  idleConnections: [1_000],
  firstUses: 3_000,
  keys: [1_000, 20_000],
  deadlineSeconds: 300,
};

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 60) {
    throw new Error(`--seconds ${text}: a round lasts a whole number of seconds from 1 to 60`);
  }
  return seconds;
}

function readNames<Name extends string>(option: string, text: string, known: readonly Name[]): readonly Name[] {
  const names = text.split(',').map((name) => name.trim());
  const found = known.filter((name) => names.includes(name));
  const unknown = names.filter((name) => !known.some((one) => one === name));
  if (unknown.length > 0) throw new Error(`--${option} ${unknown.join(',')}: choose from ${known.join(', ')}`);
  return found;
}
