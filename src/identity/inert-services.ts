import { StoreUnavailable } from '../stores/stores.ts';
import type { IdentityServices } from './services.ts';

/** Knows nobody and nothing: for compiling a configuration that no traffic follows, and as the ground tests build on. Whatever asks is refused. */
export const inertServices: IdentityServices = {
  issuers: { known: () => undefined, refresh: refuse, introspect: refuse },
  revocations: { epoch: 0, isRevoked: () => true },
  keys: { find: refuse },
  sessions: { find: refuse, refresh: refuse, open: () => undefined },
  replay: { once: refuse },
  signer: { sign: refuse },
  reports: { audit() {}, keyUsed() {}, keyRefused() {} },
};

function refuse(): Promise<never> {
  return Promise.reject(
    new StoreUnavailable('nothing is known here: this configuration was compiled without a running gateway'),
  );
}
