import type { Readable } from 'node:stream';

/** Where a command writes, and how it ends. Streams of its own, so that a test can read them. */
export interface Terminal {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** What the entry point knows and every command may use. */
export interface ProgramFacts {
  readonly version: string;
  readonly entry: URL;
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where passwords and files come from that are piped in; standard input unless given. */
  readonly input?: Readable;
}

/** Exit codes of every command; docs/command-line.md lists them. */
export const exitCodes = {
  ok: 0,
  /** Something went wrong that is nobody's input: a bug, a full disk. */
  failure: 1,
  /** The command line was wrong. */
  usage: 2,
  /** The configuration has faults, or `check` found what should not be. */
  refused: 3,
  /** No gateway is running where one was asked for, or one is where none should be. */
  notRunning: 4,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Options every command has. */
export interface CommonOptions {
  readonly config: string;
  readonly json: boolean;
}

export const terminal: Terminal = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};
