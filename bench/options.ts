import { parseArgs } from 'node:util';

/** How large a run is. */
export interface Options {
  /** Names of the peers to run; undefined for all. */
  readonly only: readonly string[] | undefined;
  readonly quick: boolean;
  readonly warmUpSeconds: number;
  readonly roundSeconds: number;
  readonly rounds: number;
  readonly starts: number;
  readonly idleConnections: readonly number[];
  /** The run is cut off after this long; the tables that are complete by then are kept. */
  readonly deadlineSeconds: number;
}

/** Reads the command line; throws a sentence for the user on anything it does not know. */
export function readOptions(argv: readonly string[], known: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    strict: true,
    options: { only: { type: 'string' }, seconds: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  const size = values.quick ? QUICK : FULL;
  const roundSeconds = values.seconds === undefined ? size.roundSeconds : readSeconds(values.seconds);
  const longerBy = Math.max(0, roundSeconds - size.roundSeconds) * size.rounds * known.length;
  return {
    ...size,
    only: values.only === undefined ? undefined : readNames(values.only, known),
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
  deadlineSeconds: 1_500,
};
const QUICK = {
  warmUpSeconds: 2,
  roundSeconds: 2,
  rounds: 3,
  starts: 5,
  idleConnections: [1_000],
  deadlineSeconds: 300,
};

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 60) {
    throw new Error(`--seconds ${text}: a round lasts a whole number of seconds from 1 to 60`);
  }
  return seconds;
}

function readNames(text: string, known: readonly string[]): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: the peers are ${known.join(', ')}`);
  return names;
}
