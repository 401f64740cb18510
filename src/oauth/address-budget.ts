import type { IncomingMessage } from 'node:http';
import { Provider } from 'oidc-provider';
import { canonicalAddress } from '../lib/cidr.ts';
import { parseCidr } from '../lib/network-address.ts';
import type { Counters } from '../stores/counters.ts';
import { addressOf } from './options.ts';

/** How often one address may do something that costs us, in a span of time that begins with the first. */
export interface AddressBudget {
  /** True while the address of the request that is being answered has some left; takes one. Rejects with StoreUnavailable. */
  spend(): Promise<boolean>;
  /** The same for what may turn out to cost nothing: its one is then given back. Undefined where none was left. */
  spendAhead(): Promise<{ giveBack(): Promise<void> } | undefined>;
}

export interface BudgetRules {
  /** What is done, as part of a key. */
  readonly name: string;
  readonly limit: number;
  /** Milliseconds. */
  readonly window: number;
}

export function createAddressBudget(counters: Counters, { name, limit, window }: BudgetRules): AddressBudget {
  return {
    async spend() {
      const { count } = await counters.increment(presentKey(name), window);
      return count <= limit;
    },
    async spendAhead() {
      const key = presentKey(name);
      const { count, endsAt } = await counters.increment(key, window);
      // A count only grows, so what is given back is a count of its own, of this same span.
      const given = `${key}:back:${endsAt}`;
      if (count - (await counters.read(given)).count > limit) return undefined;
      return {
        async giveBack() {
          await counters.increment(given, window);
        },
      };
    },
  };
}

/** oidc-provider knows which request it is answering wherever it calls us from. */
function presentKey(name: string): string {
  const req = Provider.ctx?.req;
  return `oauth:${name}:${req === undefined ? 'unknown' : bucketOf(req)}`;
}

/** One subscriber has a whole IPv6 /64 (RFC 6177), so that is what is counted (attack 49). */
function bucketOf(req: IncomingMessage): string {
  const address = canonicalAddress(addressOf(req));
  if (address === undefined) return 'unknown';
  return address.includes(':') ? (parseCidr(`${address}/64`)?.text ?? 'unknown') : address;
}
