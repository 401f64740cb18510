/** What a log line tells of an error: its kind, its words, where it arose, and what caused it, at most four deep. */
export function errorFacts(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const cause = error.cause === undefined || depth >= 3 ? {} : { cause: errorFacts(error.cause, depth + 1) };
  const code = 'code' in error ? { code: String(error.code) } : {};
  return { type: error.name, message: error.message, ...code, stack: error.stack, ...cause };
}
