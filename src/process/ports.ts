import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import type { GatewayConfig, ListenerConfig } from '../config/schema.ts';
import { formatSocketAddress } from '../lib/network-address.ts';

/** Whether several threads can bind one port (SO_REUSEPORT with balancing: Linux). Elsewhere there is one worker. */
export const canSharePorts = process.platform === 'linux';

/** How many workers a configuration asks for: one for each core, and one alone where they cannot share the ports. */
export function workerCount(configured: GatewayConfig['workers']): number {
  if (!canSharePorts) return 1;
  return configured === 'auto' ? availableParallelism() : configured;
}

/** Each listener on a line, with the port it got. */
export function describeListeners({ listeners }: GatewayConfig, ports: ReadonlyMap<string, number>): string[] {
  return listeners.map(
    ({ name, address, tls }) =>
      `${name} ${tls === 'none' ? 'http' : 'https'}://${address.host}:${ports.get(name) ?? address.port}`,
  );
}

/**
 * Gives listeners that ask for port 0 a number that all workers can share, and keeps it over reloads. Rejects where an address
 * that `before` does not hold cannot be bound: the workers share their ports (SO_REUSEPORT), so a second gateway of the same
 * user would not fail by itself but take a part of the connections. Between the look and the workers' bind another program
 * could still take the port; then they refuse.
 */
export async function fixPorts(
  config: GatewayConfig,
  before: { readonly config: GatewayConfig; readonly ports: ReadonlyMap<string, number> } | undefined,
): Promise<{ readonly config: GatewayConfig; readonly ports: ReadonlyMap<string, number> }> {
  const held = new Set(before?.config.listeners.flatMap((listener) => addressesOf(listener).map(({ port }) => port)));
  const ports = new Map<string, number>();
  const listeners = [];
  for (const listener of config.listeners) {
    for (const address of addressesOf(listener))
      if (address.port !== 0 && !held.has(address.port)) await tryToBind(listener, address);
    const port = await fixedPort(listener, listener.address, before?.ports.get(listener.name));
    ports.set(listener.name, port);
    const redirect = listener.redirectHttpFrom;
    if (redirect === undefined) {
      listeners.push({ ...listener, address: { ...listener.address, port } });
      continue;
    }
    const redirectName = `${listener.name} redirect`;
    const redirectPort = await fixedPort(listener, redirect, before?.ports.get(redirectName));
    ports.set(redirectName, redirectPort);
    listeners.push({
      ...listener,
      address: { ...listener.address, port },
      redirectHttpFrom: { ...redirect, port: redirectPort },
    });
  }
  return { config: { ...config, listeners }, ports };
}

async function fixedPort(listener: ListenerConfig, asked: Address, known: number | undefined): Promise<number> {
  return asked.port !== 0 ? asked.port : (known ?? (await tryToBind(listener, asked)));
}

type Address = ListenerConfig['address'];

function addressesOf({ address, redirectHttpFrom }: ListenerConfig): readonly Address[] {
  return redirectHttpFrom === undefined ? [address] : [address, redirectHttpFrom];
}

/** Resolves with the port that was bound, and free again; rejects where none was. */
function tryToBind(listener: ListenerConfig, address: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new Error(`listener ${listener.name}: cannot listen on ${formatSocketAddress(address)}: ${reasonOf(error)}`),
      ),
    );
    server.listen({ host: address.host, port: address.port }, () => {
      const bound = server.address();
      server.close(() =>
        bound !== null && typeof bound === 'object' ? resolve(bound.port) : reject(new Error('no port')),
      );
    });
  });
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program listens there; end it, or choose another port';
    case 'EACCES':
      return 'this user may not take a port below 1024; choose a higher one, or give the program the capability CAP_NET_BIND_SERVICE';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address; 0.0.0.0 and [::] mean all of its own';
    default:
      return error.message;
  }
}
