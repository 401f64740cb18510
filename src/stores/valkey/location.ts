import type { ConnectionOptions } from 'node:tls';

/** Where a Valkey or Redis server, or one of a cluster, is and how it is spoken to. */
export interface ValkeyLocation {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: ConnectionOptions | undefined;
}

/**
 * Reads a URL such as `rediss://user:password@valkey.example.com:6379/0`. `rediss` and `valkeys` speak TLS and verify the
 * server's certificate. Errors never repeat the URL: a password is in it.
 */
export function parseLocation(text: string, ca: string | undefined): ValkeyLocation {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !schemes.has(url.protocol) || url.hostname === '') {
    throw invalid('is none of the form redis://user:password@host:port, or rediss:// for TLS');
  }
  if (url.search !== '' || url.hash !== '') throw invalid('may have nothing after the number of the database');
  const database = url.pathname.replace(/^\//, '');
  if (!/^\d{0,4}$/.test(database)) throw invalid('may have the number of a database as its path, and nothing else');
  const speaksTls = url.protocol === 'rediss:' || url.protocol === 'valkeys:';
  if (ca !== undefined && !speaksTls) throw invalid('must begin with rediss:// where an authority is given for TLS');
  return {
    host: decode(url.hostname).replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    username: decode(url.username) || undefined,
    password: decode(url.password) || undefined,
    database: Number(database),
    tls: speaksTls ? { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) } : undefined,
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid('has a % that is followed by no two hexadecimal digits');
  }
}

function invalid(what: string): TypeError {
  return new TypeError(`The URL of the Valkey server ${what}.`);
}

const schemes: ReadonlySet<string> = new Set(['redis:', 'rediss:', 'valkey:', 'valkeys:']);
