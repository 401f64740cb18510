import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';

/** Where a PostgreSQL server is and how it is spoken to. */
export interface PostgresLocation {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly applicationName: string;
  /** False for a plain connection. */
  readonly ssl: false | ConnectionOptions;
}

/**
 * Reads a URL such as `postgres://user:password@db.example.com:5432/sallyport?sslmode=verify-full`. TLS is verified, name and
 * chain, unless the server is on this machine or the URL says `sslmode=disable`; a mode that would take any certificate is
 * refused. `?host=/run/postgresql` names the directory of a Unix socket. Errors never repeat the URL: a password is in it.
 */
export function parseLocation(text: string, ca: string | undefined): PostgresLocation {
  const url = parse(text);
  const { searchParams } = url;
  for (const name of searchParams.keys()) {
    if (!known.has(name)) throw invalid(`has the unknown parameter "${name}"; it may have ${[...known].join(', ')}`);
  }
  const host = searchParams.get('host') ?? decode(url.hostname).replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw invalid('names no host');
  const user = searchParams.get('user') ?? decode(url.username);
  if (user === '') throw invalid('names no user');
  const database = decode(url.pathname.slice(1));
  if (database === '') throw invalid('names no database, as in postgres://user@host/database');
  const password = searchParams.get('password') ?? decode(url.password);
  return {
    host,
    port: url.port === '' ? 5432 : Number(url.port),
    user,
    password: password === '' ? undefined : password,
    database,
    applicationName: searchParams.get('application_name') ?? 'sallyport',
    ssl: tlsFor(host, searchParams.get('sslmode'), ca),
  };
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw invalid('is none of the form postgres://user:password@host:port/database');
  }
  return url;
}

/** libpq's names of the modes; here each that asks for TLS asks for the strictest of them. */
function tlsFor(host: string, mode: string | null, ca: string | undefined): false | ConnectionOptions {
  if (host.startsWith('/')) return false; // a Unix socket leaves no machine
  if (mode === 'disable') return false;
  if (mode === null && ca === undefined && isThisMachine(host)) return false;
  if (mode !== null && !verified.has(mode)) {
    throw invalid(`asks for sslmode=${mode}, which would take any certificate; use verify-full, or disable for no TLS`);
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: true,
    // By the name in the URL: for an address there is no server name in the handshake that Node could go by.
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  };
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid('has a % that is followed by no two hexadecimal digits');
  }
}

function invalid(what: string): TypeError {
  return new TypeError(`The URL of the PostgreSQL server ${what}.`);
}

const known: ReadonlySet<string> = new Set(['sslmode', 'host', 'user', 'password', 'application_name']);
const verified: ReadonlySet<string> = new Set(['require', 'verify-ca', 'verify-full']);
