import type { KeyUse } from '../stores/stores.ts';
import { networkOf } from './key-network.ts';

/** Uses of one key that were added up, with every network they came from, the last one included. */
export interface SummedKeyUse extends KeyUse {
  readonly networks: readonly string[];
}

/**
 * Adds up uses of keys between two batches, by the key. Bounded: where no room is left for another key its uses are counted
 * as dropped instead; a key that has its place never loses any. Fields of an entry are changed in place, since this is called
 * for every request.
 */
export class KeyUses {
  readonly #capacity: number;
  #sums = new Map<string, Sum>();
  #dropped = 0;

  /** `capacity`: the most keys between two drains. */
  constructor(capacity = 20_000) {
    this.#capacity = capacity;
  }

  add(use: KeyUse | SummedKeyUse): void {
    const sum = this.#sums.get(use.id);
    if (sum === undefined) {
      if (this.#sums.size >= this.#capacity) this.#dropped += use.uses;
      else this.#sums.set(use.id, newSum(use));
      return;
    }
    sum.uses += use.uses;
    if ('networks' in use) for (const network of use.networks) noteNetwork(sum, network);
    else if (use.address !== sum.address && use.address !== sum.addressBefore) noteNetwork(sum, networkOf(use.address));
    if (use.lastUsedAt < sum.lastUsedAt) return;
    if (use.address !== sum.address) sum.addressBefore = sum.address;
    sum.lastUsedAt = use.lastUsedAt;
    sum.address = use.address;
    sum.route = use.route;
  }

  /** Everything since the last call. */
  drain(): SummedKeyUse[] {
    const sums = [...this.#sums.values()].map(summedUse);
    this.#sums = new Map();
    return sums;
  }

  /** Uses that found no room since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

interface Sum {
  readonly id: string;
  uses: number;
  lastUsedAt: number;
  address: string;
  /** Saves the look for its network where a key goes to and fro between two addresses. */
  addressBefore: string;
  route: string;
  readonly networks: string[];
}

function newSum(use: KeyUse | SummedKeyUse): Sum {
  const { id, uses, lastUsedAt, address, route } = use;
  const networks = 'networks' in use ? [...use.networks] : [networkOf(address)];
  return { id, uses, lastUsedAt, address, addressBefore: address, route, networks };
}

function noteNetwork(sum: Sum, network: string): void {
  if (sum.networks.length < MOST_NETWORKS && !sum.networks.includes(network)) sum.networks.push(network);
}

function summedUse({ id, uses, lastUsedAt, address, route, networks }: Sum): SummedKeyUse {
  return { id, uses, lastUsedAt, address, route, networks };
}

/** Of one key in one batch. A key that came from so many is reported for the first new one already. */
const MOST_NETWORKS = 16;
