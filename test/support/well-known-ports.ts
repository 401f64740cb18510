import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { skipBecause } from './require-tool.ts';

/** A socket without a file (unix(7), abstract); the system closes it with the process. */
const LOCK = '\0sallyport-tests-ports-80-and-443';

/**
 * Waits until no other test file uses the ports 80 and 443, where an ACME server looks, and keeps them for this one until its
 * process ends. For the `skip` option of `node:test`: false where they are its own, else why they cannot be had.
 */
export async function reserveWellKnownPorts(withinMs = 180_000): Promise<false | string> {
  const deadline = Date.now() + withinMs;
  while (!(await tryToListen({ path: LOCK })).keeps) {
    if (Date.now() > deadline) return skipBecause('another test file keeps the ports 80 and 443');
    await delay(100);
  }
  for (const port of [80, 443]) {
    const { server, failure } = await tryToListen({ host: '127.0.0.1', port });
    if (failure !== undefined)
      return skipBecause(`port ${port} of 127.0.0.1, where an ACME server validates, cannot be bound: ${failure}`);
    server.close();
    await once(server, 'close');
  }
  return false;
}

async function tryToListen(where: { readonly path: string } | { readonly host: string; readonly port: number }) {
  const server = createServer().listen(where).unref();
  try {
    await once(server, 'listening');
    return { server, keeps: true, failure: undefined };
  } catch (error) {
    return { server, keeps: false, failure: error instanceof Error ? error.message : String(error) };
  }
}
