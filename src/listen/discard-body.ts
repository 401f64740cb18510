import type { Readable } from 'node:stream';

/** Reads the rest of a body for nobody and calls `ended` at its end. Past a bound it stops reading, and `ended` is never called. */
export function discardBody(body: Readable, ended: () => void): void {
  let taken = 0;
  body.on('data', (chunk: Buffer) => {
    taken += chunk.length;
    if (taken > MOST) body.pause();
  });
  body.on('end', ended);
  body.on('error', ignore);
  body.resume();
}

function ignore(): void {}

const MOST = 256 * 1024;
