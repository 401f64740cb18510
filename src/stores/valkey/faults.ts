import { StoreUnavailable } from '../stores.ts';

/**
 * Whatever goes wrong says that nothing can be said. The first word of the server's answer names the reason (NOAUTH, OOM,
 * READONLY, …); the rest may repeat what was sent.
 */
export function translateFault(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  const reason = reasonOf(error);
  return new StoreUnavailable(
    reason === undefined ? 'Valkey cannot be reached.' : `Valkey did not carry a command out (${reason}).`,
  );
}

/** Whether the server has forgotten a script, as it does when it starts again. */
export function isUnknownScript(error: unknown): boolean {
  return reasonOf(error) === 'NOSCRIPT';
}

/** Whether the user of the connection has no right to a command. */
export function isForbidden(error: unknown): boolean {
  return reasonOf(error) === 'NOPERM';
}

function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  return /^[A-Z]{2,20}(?= )/.exec(error.message)?.[0];
}
