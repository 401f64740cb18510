import type { ServerResponse } from 'node:http';

/** Server-sent events (WHATWG HTML, section "Server-sent events") to everyone who listens. */
export class EventFeed {
  readonly #listeners = new Set<ServerResponse>();
  readonly #heartbeat: NodeJS.Timeout;
  #count = 0;

  /** Sends a `tick` every `tickMs` milliseconds, so that there is always something to see. */
  constructor(tickMs: number) {
    this.#heartbeat = setInterval(() => this.send('tick', { at: new Date().toISOString() }), tickMs);
  }

  add(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write('retry: 2000\n\n');
    this.#listeners.add(response);
    response.on('close', () => this.#listeners.delete(response));
  }

  send(event: string, data: unknown): void {
    this.#count += 1;
    const text = `id: ${this.#count}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const listener of this.#listeners) {
      // Who does not read is dropped, and comes back by itself: a feed that waits for its slowest reader fills the memory.
      if (listener.writableLength > MOST_UNREAD_BYTES) listener.destroy();
      else listener.write(text);
    }
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const listener of this.#listeners) listener.end();
  }
}

const MOST_UNREAD_BYTES = 256 * 1024;
