import type { Connection } from './connection.ts';

/** The connections of one listener: counted in all and for each client address. */
export class ConnectionRegister {
  readonly connections = new Set<Connection>();
  readonly #perAddress = new Map<string, number>();

  /** False where the listener is full. */
  add(connection: Connection, most: number): boolean {
    if (this.connections.size >= most) return false;
    this.connections.add(connection);
    return true;
  }

  /** Counts a connection to its client; false where that client has enough. To be called once, when the address is known. */
  countClient(address: string, most: number): boolean {
    const key = clientKey(address);
    const count = this.#perAddress.get(key) ?? 0;
    if (count >= most) return false;
    this.#perAddress.set(key, count + 1);
    return true;
  }

  uncountClient(address: string): void {
    const key = clientKey(address);
    const count = this.#perAddress.get(key) ?? 0;
    if (count > 1) this.#perAddress.set(key, count - 1);
    else this.#perAddress.delete(key);
  }

  remove(connection: Connection): void {
    this.connections.delete(connection);
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
