import type { ControlLink } from './link.ts';
import type { IssuerKeySet, Issuers } from './services.ts';

/** The issuers as a worker knows them: by what the control plane told it. */
export interface LinkedIssuers extends Issuers {
  /** Takes in a set the control plane broadcast. An older one than is known is passed over: messages may cross. */
  note(set: IssuerKeySet): void;
  /** Forgets the issuers that are not among these, after a reload. */
  keep(issuers: readonly string[]): void;
}

/** The worker's half of the issuers; the control plane's is the IssuerDirectory. */
export function createIssuers(link: ControlLink): LinkedIssuers {
  const sets = new Map<string, IssuerKeySet>();
  const asked = new Map<string, Promise<IssuerKeySet>>();

  function note(set: IssuerKeySet): void {
    const known = sets.get(set.issuer);
    if (known === undefined || known.generation < set.generation) sets.set(set.issuer, set);
  }

  async function ask(issuer: string): Promise<IssuerKeySet> {
    try {
      const answer = await link.ask('issuer.keys', { issuer, refresh: true });
      note(answer);
      return sets.get(issuer) ?? answer;
    } finally {
      asked.delete(issuer);
    }
  }

  return {
    note,
    keep(issuers) {
      for (const issuer of sets.keys()) if (!issuers.includes(issuer)) sets.delete(issuer);
    },
    known: (issuer) => sets.get(issuer),
    refresh(issuer) {
      const underway = asked.get(issuer) ?? ask(issuer);
      asked.set(issuer, underway);
      return underway;
    },
    introspect: (issuer, token) => link.ask('issuer.introspect', { issuer, token }),
  };
}
