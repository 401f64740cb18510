import type { Duplex } from 'node:stream';

/** Joins two connections after a 101 until either ends. Resolves with the bytes that went each way; it never rejects. */
export function tunnel(
  client: Duplex,
  upstream: Duplex,
): Promise<{ readonly toUpstream: number; readonly toClient: number }> {
  return new Promise((resolve) => {
    let toUpstream = 0;
    let toClient = 0;
    let open = 2;

    function closed(): void {
      client.destroy();
      upstream.destroy();
      open -= 1;
      if (open === 0) resolve({ toUpstream, toClient });
    }

    client.on('data', (chunk: Buffer) => {
      toUpstream += chunk.length;
    });
    upstream.on('data', (chunk: Buffer) => {
      toClient += chunk.length;
    });
    // An error is always followed by 'close', which ends both sides.
    client.on('error', ignore).on('close', closed);
    upstream.on('error', ignore).on('close', closed);
    client.pipe(upstream);
    upstream.pipe(client);
  });
}

function ignore(): void {}
