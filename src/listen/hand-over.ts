import type { Exchange } from '../exchange.ts';
import type { Post } from './post.ts';

/** Starts the road. It answers for its own faults; should one get out, the client is cut off rather than left waiting. */
export function handOver(post: Post, exchange: Exchange): void {
  try {
    const running = post.handlers.exchange(exchange);
    if (running !== undefined) running.catch(() => exchange.wire.abort());
  } catch {
    exchange.wire.abort();
  }
}
