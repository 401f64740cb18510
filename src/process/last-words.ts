import type { Log } from '../observe/log.ts';

/**
 * Notes in the log why the control plane ends, with the stack: an exception or rejection that nobody took. It ends all the same, as
 * nobody knows what state it is in, and Node.js says so on standard error. What it returns forgets about it.
 */
export function tellLastWords(log: Pick<Log, 'error'>): () => void {
  function lastWords(error: unknown): void {
    log.error({ err: error }, 'the control plane met an unexpected condition and ends');
  }
  process.on('uncaughtExceptionMonitor', lastWords);
  return () => void process.off('uncaughtExceptionMonitor', lastWords);
}
