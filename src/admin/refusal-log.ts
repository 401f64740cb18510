import type { AdminServices, Caller } from './admin-services.ts';

/** Writes refusals of known callers to the audit log, in bounded number: one of a kind and caller a minute. */
export interface RefusalLog {
  note(caller: Caller, reason: string): Promise<void>;
}

export function createRefusalLog({ records, now }: Pick<AdminServices, 'records' | 'now'>): RefusalLog {
  const noted = new Map<string, number>();
  return {
    async note({ actor, address, requestId }, reason) {
      const kind = JSON.stringify([actor, reason]);
      const at = now();
      if (at - (noted.get(kind) ?? Number.NEGATIVE_INFINITY) < INTERVAL_MS) return;
      if (noted.size >= MAX_KINDS) noted.clear();
      noted.set(kind, at);
      await records.audit.append([
        { type: 'admin.refused', actor, subject: '', address, requestId, detail: { reason } },
      ]);
    },
  };
}

const INTERVAL_MS = 60_000;

const MAX_KINDS = 1_000;
