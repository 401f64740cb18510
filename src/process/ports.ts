import { createServer } from 'node:net';
import type { GatewayConfig } from '../config/schema.ts';

/**
 * Gives listeners that ask for port 0 a number that all workers can share, and keeps it over reloads. Between the choice and
 * the workers' bind another program could take it; then the start fails and says so.
 */
export async function fixPorts(
  config: GatewayConfig,
  known: ReadonlyMap<string, number>,
): Promise<{ readonly config: GatewayConfig; readonly ports: ReadonlyMap<string, number> }> {
  const ports = new Map<string, number>();
  const listeners = [];
  for (const listener of config.listeners) {
    const port =
      listener.address.port !== 0
        ? listener.address.port
        : (known.get(listener.name) ?? (await freePort(listener.address.host)));
    ports.set(listener.name, port);
    const redirect = listener.redirectHttpFrom;
    const redirectName = `${listener.name} redirect`;
    if (redirect?.port === 0) ports.set(redirectName, known.get(redirectName) ?? (await freePort(redirect.host)));
    const redirectHttpFrom = redirect && { ...redirect, port: ports.get(redirectName) ?? redirect.port };
    listeners.push({ ...listener, address: { ...listener.address, port }, redirectHttpFrom });
  }
  return { config: { ...config, listeners }, ports };
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port: 0 }, () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
