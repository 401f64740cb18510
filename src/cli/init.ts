import type { ExitCode } from './output.ts';
export async function init(_options: unknown, _facts: unknown): Promise<ExitCode> {
  throw new Error('not there yet');
}
