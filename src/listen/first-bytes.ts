import type { Socket } from 'node:net';

/** What the first bytes of a connection were found to be: the call that goes on, and how many of them it has used up. */
export interface Recognised {
  readonly consumed: number;
  readonly proceed: () => void;
}

/**
 * Reads ahead until `recognise` has seen enough, puts back what it did not use, and lets it go on with the socket paused.
 * `undefined` asks for more bytes. The bound on them is `recognise`'s own; the time is bounded by the connection's deadline.
 */
export function readFirstBytes(socket: Socket, recognise: (bytes: Buffer) => Recognised | 'refuse' | undefined): void {
  let bytes: Buffer = Buffer.alloc(0);

  function take(chunk: Buffer): void {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const outcome = recognise(bytes);
    if (outcome === undefined) return;
    socket.off('data', take).off('end', giveUp);
    if (outcome === 'refuse') {
      socket.destroy();
      return;
    }
    socket.pause();
    if (outcome.consumed < bytes.length) socket.unshift(bytes.subarray(outcome.consumed));
    outcome.proceed();
  }

  function giveUp(): void {
    socket.destroy();
  }

  socket.on('data', take).on('end', giveUp);
  socket.resume();
}
