import type { ListenerHandlers, ListenerOptions, PortOptions, RedirectOptions } from './listener-options.ts';
import { Port } from './port.ts';
import { type RedirectState, redirectHandlers } from './redirect.ts';

/** An open listener. */
export interface Listener {
  readonly name: string;
  /** The port that was bound; differs from the one asked for where that was 0. */
  readonly port: number;
  /** The port that redirects here, if there is one. */
  readonly redirectPort: number | undefined;
  /**
   * Puts other TLS material, limits and address lists into force for new connections, and limits for old ones too; none is
   * dropped. Address and exposure cannot change, nor whether there is TLS or a redirect. Throws where the options cannot be
   * used, and then has changed nothing.
   */
  update(options: ListenerOptions): void;
  /** Accepts nothing more, lets what is in flight end, and resolves when all connections are closed; after `deadline` milliseconds the rest is cut. */
  drain(deadline: number): Promise<void>;
  /** Cuts everything at once. */
  close(): void;
}

/** Binds the address and begins to serve. Rejects where the address, the TLS material or an address block cannot be used. */
export async function openListener(options: ListenerOptions, handlers: ListenerHandlers): Promise<Listener> {
  const main = new Port(options, handlers);
  let redirect: { readonly port: Port; readonly state: RedirectState } | undefined;
  try {
    await main.listen(options);
    if (options.redirect !== undefined) redirect = await openRedirect(options, options.redirect, handlers);
  } catch (error) {
    main.close();
    throw error;
  }

  return {
    name: options.name,
    port: main.number,
    redirectPort: redirect?.port.number,
    update(next): void {
      main.update(next);
      if (redirect === undefined || next.redirect === undefined) return;
      redirect.port.update(redirectPortOptions(next, next.redirect));
      redirect.state.options = next.redirect;
    },
    async drain(deadline): Promise<void> {
      await Promise.all([main.drain(deadline), redirect?.port.drain(deadline)]);
    },
    close(): void {
      main.close();
      redirect?.port.close();
    },
  };
}

async function openRedirect(options: ListenerOptions, redirect: RedirectOptions, handlers: ListenerHandlers) {
  const state: RedirectState = { options: redirect };
  const portOptions = redirectPortOptions(options, redirect);
  const port = new Port(portOptions, redirectHandlers(state, handlers));
  try {
    await port.listen(portOptions);
  } catch (error) {
    port.close();
    throw error;
  }
  return { port, state };
}

/** The same lists and limits, in plain text. */
function redirectPortOptions(options: ListenerOptions, redirect: RedirectOptions): PortOptions {
  return { ...options, host: redirect.host, port: redirect.port, tls: undefined };
}
