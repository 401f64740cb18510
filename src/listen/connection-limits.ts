import type { SharedCounts } from '../lib/shared-counts.ts';
import type { Connection } from './connection.ts';

/** The connections of one listener in this worker; the bounds on them hold over all workers together. */
export class ConnectionRegister {
  readonly connections = new Set<Connection>();
  readonly #listener: string;
  readonly #counts: SharedCounts;

  constructor(listener: string, counts: SharedCounts) {
    this.#listener = listener;
    this.#counts = counts;
  }

  /** False where the listener is full. */
  add(connection: Connection, most: number): boolean {
    if (!this.#counts.add(this.#listener, most)) return false;
    this.connections.add(connection);
    return true;
  }

  remove(connection: Connection): void {
    if (this.connections.delete(connection)) this.#counts.remove(this.#listener);
  }

  /** Counts a connection to its client; false where that client has enough. To be called once, when the address is known. */
  countClient(address: string, most: number): boolean {
    return this.#counts.add(this.#clientOf(address), most);
  }

  uncountClient(address: string): void {
    this.#counts.remove(this.#clientOf(address));
  }

  #clientOf(address: string): string {
    return `${this.#listener}|${clientKey(address)}`;
  }
}

/** One subscriber has a whole IPv6 /64 (RFC 6177), so that is what counts as a client (attack 49). The address must be canonical. */
export function clientKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length;
    while (groups.length < 8 - after && groups.length < 4) groups.push('0');
    if (groups.length < 4) groups.push(...tail.split(':'));
  }
  return `${groups.slice(0, 4).join(':')}/64`;
}
