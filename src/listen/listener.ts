import type { SharedCounts } from '../lib/shared-counts.ts';
import type { ListenerHandlers, ListenerOptions } from './listener-options.ts';
import { Port } from './port.ts';
import { type RedirectState, redirectHandlers } from './redirect.ts';

/** An open listener. */
export interface Listener {
  readonly name: string;
  /** The port that was bound; differs from the one asked for where that was 0. */
  readonly port: number;
  /**
   * Puts other TLS material, limits and address lists into force for new connections, and limits for old ones too; none is
   * dropped. Address and exposure cannot change, nor whether it speaks TLS or redirects. Throws where the options cannot be
   * used, and then has changed nothing.
   */
  update(options: ListenerOptions): void;
  /** Accepts nothing more, lets what is in flight end, and resolves when all connections are closed; after `deadline` milliseconds the rest is cut. */
  drain(deadline: number): Promise<void>;
  /** Cuts everything at once. */
  close(): void;
}

/** Binds the address and begins to serve, or to redirect; `counts` are those of all workers. Rejects where the address, the TLS material or an address block cannot be used. */
export async function openListener(
  options: ListenerOptions,
  handlers: ListenerHandlers,
  counts: SharedCounts,
): Promise<Listener> {
  const redirect: RedirectState | undefined = options.redirect && { options: options.redirect };
  const port = new Port(options, redirect === undefined ? handlers : redirectHandlers(redirect, handlers), counts);
  try {
    await port.listen(options);
  } catch (error) {
    port.close();
    throw error;
  }
  return {
    name: options.name,
    port: port.number,
    update(next): void {
      port.update(next);
      if (redirect !== undefined && next.redirect !== undefined) redirect.options = next.redirect;
    },
    drain: (deadline) => port.drain(deadline),
    close: () => port.close(),
  };
}
