import { resolve } from 'node:path';
import type { Path, RawFault } from './faults.ts';
import type { ConfigParts } from './parse.ts';
import { type ReadFile, readText, type TextFile } from './read-file.ts';
import type { UpstreamConfig } from './upstream-schema.ts';

export interface CheckedFiles {
  readonly faults: readonly RawFault[];
  /** The text of each file by its absolute path; undefined for one that could not be read. */
  readonly contents: ReadonlyMap<string, string | undefined>;
}

/** Reads the certificates and keys the file names, and looks whether each holds what it is named for. */
export async function checkFiles(
  parts: ConfigParts,
  reading: { readonly readFile: ReadFile; readonly directory: string },
): Promise<CheckedFiles> {
  const faults: RawFault[] = [];
  const read = new Map<string, TextFile>();
  for (const { path, file, holds } of namedFiles(parts)) {
    const absolute = resolve(reading.directory, file);
    const outcome = read.get(absolute) ?? (await readText(absolute, reading.readFile));
    read.set(absolute, outcome);
    if ('reason' in outcome) {
      faults.push({
        path,
        subject: file,
        message: `cannot be read: ${outcome.reason}`,
        hint: 'relative paths begin at the directory of the configuration file',
      });
    } else if (holds === 'key' && outcome.text.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----')) {
      faults.push({
        path,
        subject: file,
        message: 'holds an encrypted private key',
        hint: 'decrypt it: openssl pkey -in … -out …',
      });
    } else if (!PEM[holds].test(outcome.text)) {
      const hint = `name a PEM file with -----BEGIN ${holds === 'key' ? 'PRIVATE KEY' : 'CERTIFICATE'}-----`;
      faults.push({
        path,
        subject: file,
        message: `holds no ${holds === 'key' ? 'private key' : 'certificate'}`,
        hint,
      });
    }
  }
  const texts = [...read].map(([path, file]) => [path, 'text' in file ? file.text : undefined] as const);
  return { faults, contents: new Map(texts) };
}

interface NamedFile {
  readonly path: Path;
  readonly file: string;
  readonly holds: keyof typeof PEM;
}

function* namedFiles(parts: ConfigParts): Generator<NamedFile> {
  for (const { value: listener, path } of parts.listeners) {
    if (listener === undefined || listener.tls === 'none') continue;
    const at = [...path, 'tls'];
    for (const [index, { cert, key }] of listener.tls.certificates.entries()) {
      yield { path: [...at, 'certificates', index, 'cert'], file: cert, holds: 'certificate' };
      yield { path: [...at, 'certificates', index, 'key'], file: key, holds: 'key' };
    }
    const { clientCa, acme } = listener.tls;
    if (clientCa !== undefined) yield { path: [...at, 'clientCa'], file: clientCa, holds: 'certificate' };
    if (acme?.ca !== undefined) yield { path: [...at, 'acme', 'ca'], file: acme.ca, holds: 'certificate' };
  }
  for (const { value, path } of parts.upstreams) yield* upstreamFiles(value, path);
  for (const { value: api, path, routeIndexes } of parts.apis) {
    if (api === undefined) continue;
    if ('inline' in api.upstream) yield* upstreamFiles(api.upstream.inline, [...path, 'upstream']);
    for (const [at, { upstream }] of api.routes.entries()) {
      if (upstream === undefined || !('inline' in upstream)) continue;
      yield* upstreamFiles(upstream.inline, [...path, 'routes', routeIndexes[at] ?? at, 'upstream']);
    }
  }
}

function* upstreamFiles(upstream: UpstreamConfig | undefined, path: Path): Generator<NamedFile> {
  const { ca, cert, key } = upstream?.tls ?? {};
  if (ca !== undefined) yield { path: [...path, 'tls', 'ca'], file: ca, holds: 'certificate' };
  if (cert !== undefined) yield { path: [...path, 'tls', 'cert'], file: cert, holds: 'certificate' };
  if (key !== undefined) yield { path: [...path, 'tls', 'key'], file: key, holds: 'key' };
}

const PEM = {
  certificate: /-----BEGIN CERTIFICATE-----/,
  key: /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/,
};
