import { isIP } from 'node:net';

/** Where things are below one issuer. Paths have no slash at the end. */
export interface Places {
  readonly origin: string;
  /** The path of the issuer; empty where it has none. */
  readonly mount: string;
  readonly account: string;
  readonly callback: string;
  readonly assets: string;
  /** Whether cookies can be held to TLS: everywhere but with a plain issuer of a developer's machine. */
  readonly secure: boolean;
  /** The relying party id of passkeys: the host of the issuer; undefined where that is an address, for which browsers make none. */
  readonly rpId: string | undefined;
  interaction(uid: string): string;
}

export function placesOf(issuer: string): Places {
  const { origin, hostname, pathname, protocol } = new URL(issuer);
  const mount = pathname.replace(/\/+$/, '');
  return {
    origin,
    mount,
    account: `${mount}/account`,
    callback: `${mount}/account/callback`,
    assets: `${mount}/assets`,
    secure: protocol === 'https:',
    rpId: isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : undefined,
    interaction: (uid) => `${mount}/interaction/${uid}`,
  };
}
