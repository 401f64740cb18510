import type { ConnectionOptions } from 'node:tls';

/** How a connection to one target is opened. */
export interface TargetAddress {
  /** For logs, metrics and spans: scheme, host and port, never credentials. */
  readonly label: string;
  /** The Host field a request to this target carries unless the client's is preserved. */
  readonly authority: string;
  readonly socket: { readonly host: string; readonly port: number } | { readonly path: string };
  /** Undefined for plain text. Certificates are always verified. */
  readonly tls: ConnectionOptions | undefined;
}

export interface TargetTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly servername: string | undefined;
}

/** Reads a target of the configuration: `http://host:port`, `https://host:port` or `unix:/path`. The schema has checked its form. */
export function targetAddress(target: string, tls: TargetTls | undefined): TargetAddress {
  if (target.startsWith('unix:')) {
    return { label: target, authority: 'localhost', socket: { path: target.slice('unix:'.length) }, tls: undefined };
  }
  const url = new URL(target);
  const secure = url.protocol === 'https:';
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  return {
    label: url.origin,
    authority: url.host,
    socket: { host, port },
    tls: secure ? tlsOptions(host, tls) : undefined,
  };
}

function tlsOptions(host: string, tls: TargetTls | undefined): ConnectionOptions {
  const servername = tls?.servername ?? host;
  return {
    minVersion: 'TLSv1.2',
    // RFC 6066 §3 has no IP addresses in SNI; the certificate is checked against the host either way.
    ...(isAddress(servername) ? {} : { servername }),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
  };
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^[0-9.]+$/.test(host);
}
