import { redactText } from './redact.ts';

/** How far down a chain of causes, and how many errors of one aggregate, a line follows. */
const MOST_CAUSES = 4;

export interface ErrorFacts {
  readonly type?: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorFacts;
  /** What an AggregateError holds: Node's own message is empty where all addresses of a host refused. */
  readonly errors?: readonly ErrorFacts[];
}

/** What a log line tells of an error: its kind, its words, where it arose, and what caused it, at most four deep; without credentials. */
export function errorFacts(error: unknown, depth = 1): ErrorFacts {
  if (!(error instanceof Error)) return { message: redactText(textOf(error)) };
  const deeper = depth < MOST_CAUSES;
  return {
    type: textOf(error.name),
    message: redactText(textOf(error.message)),
    ...('code' in error && error.code !== undefined ? { code: textOf(error.code) } : {}),
    ...(error.stack === undefined ? {} : { stack: redactText(textOf(error.stack)) }),
    ...(error.cause === undefined || !deeper ? {} : { cause: errorFacts(error.cause, depth + 1) }),
    ...(error instanceof AggregateError && deeper
      ? { errors: error.errors.slice(0, MOST_CAUSES).map((one) => errorFacts(one, depth + 1)) }
      : {}),
  };
}

/** Anything can be thrown, also what has no text: the log must not throw in turn. */
function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
