import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import { join, resolve } from 'node:path';
import { domainToASCII } from 'node:url';
import { createFileOnce, ensurePrivateDirectory, readIfPresent, replaceFile } from '../lib/private-files.ts';
import type { Certificate } from './certificate-pair.ts';
import { keepCertificate, readKeptCertificate, renewalDue } from './kept-certificate.ts';

/** The certificate authority of one machine's development: it signs for whatever names that machine asks. */
export interface DevCa {
  /** The CA certificate's PEM file: what a client must trust. */
  readonly caFile: string;
  readonly caCert: string;
  readonly trustHint: {
    /** The beginning of a curl command that trusts the CA; a URL follows. */
    readonly curl: string;
    /** One shell line that makes a Debian or Ubuntu system trust the CA. */
    readonly debian: string;
  };
  /**
   * A certificate for `localhost`, 127.0.0.1, ::1 and these host names (`*.` as first label allowed) or addresses.
   * A kept one is given as long as a third of its life is left. Throws on a name no certificate can bear.
   */
  issue(names: readonly string[]): Promise<Certificate>;
}

/**
 * Opens the development CA of a directory, and makes it on first use: whoever can read `ca-key.pem` there can pose
 * as any site to those who trust this CA, hence the modes 0700 and 0600. Processes that race get the same CA.
 * `now` gives milliseconds.
 */
export async function openDevCa(directory: string, now: () => number = Date.now): Promise<DevCa> {
  const home = resolve(directory);
  await ensurePrivateDirectory(home);
  const secretFile = join(home, 'ca-key.pem');
  const caFile = join(home, 'ca.pem');
  const kept = (await readIfPresent(secretFile)) ?? (await createFileOnce(secretFile, await makeCa(now()), 0o600));
  const ca = readCa(kept, { secretFile, now: now() });
  // The certificate beside its key is the original; this copy is for clients, and is mended if it was touched.
  if ((await readIfPresent(caFile)) !== ca.cert) await replaceFile(caFile, ca.cert, 0o644);

  return {
    caFile,
    caCert: ca.cert,
    trustHint: {
      curl: `curl --cacert ${shellWord(caFile)}`,
      debian: `sudo install -m 0644 ${shellWord(caFile)} /usr/local/share/ca-certificates/sallyport-dev-${ca.id}.crt && sudo update-ca-certificates`,
    },
    async issue(names): Promise<Certificate> {
      const all = certificateNames(names);
      const file = join(home, `leaf-${digest(all.join('\n'))}.pem`);
      const leaf = await readKeptCertificate(file, now());
      if (leaf !== undefined && renewalDue(leaf) > now() && signedBy(leaf.cert, ca.cert)) return leaf;
      const { issueCertificate } = await import('./issue-certificate.ts');
      await keepCertificate(file, await issueCertificate({ ca, names: all, now: now() }));
      const fresh = await readKeptCertificate(file, now());
      if (fresh === undefined) throw new Error(`${file}: the certificate just written cannot be read back`);
      return fresh;
    },
  };
}

/** Loaded only when something is to be signed: the X.509 library costs a third of a second of start-up. */
async function makeCa(now: number): Promise<string> {
  const { createAuthority } = await import('./issue-certificate.ts');
  const { cert, key } = await createAuthority(now);
  return `${key.trimEnd()}\n${cert.trimEnd()}\n`;
}

interface Authority {
  readonly cert: string;
  readonly key: KeyObject;
  readonly notAfter: Date;
  readonly id: string;
}

/** Fails closed: a CA that clients were told to trust is never replaced behind their back. */
function readCa(text: string, context: { readonly secretFile: string; readonly now: number }): Authority {
  const remedy = `remove ${context.secretFile} so that a new CA is made, then trust the new one`;
  const authority = parseCa(text);
  if (authority === undefined) {
    throw new Error(`${context.secretFile}: does not hold a development CA and its key; ${remedy}`);
  }
  if (authority.notAfter.getTime() - context.now < ONE_DAY) {
    throw new Error(`${context.secretFile}: the CA expires at ${authority.notAfter.toISOString()}; ${remedy}`);
  }
  return authority;
}

function parseCa(text: string): Authority | undefined {
  try {
    const certificate = new X509Certificate(text.slice(text.indexOf('-----BEGIN CERTIFICATE-----')));
    const key = createPrivateKey(text);
    if (!certificate.ca || !certificate.checkPrivateKey(key)) return undefined;
    const id = certificate.fingerprint256.replaceAll(':', '').slice(0, 8).toLowerCase();
    return { cert: certificate.toString(), key, notAfter: certificate.validToDate, id };
  } catch {
    return undefined;
  }
}

function signedBy(leaf: string, ca: string): boolean {
  const certificate = new X509Certificate(leaf);
  const issuer = new X509Certificate(ca);
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The names of loopback and the asked ones: canonical, sorted, each once. */
function certificateNames(names: readonly string[]): readonly string[] {
  return [...new Set([...ALWAYS, ...names.map(canonicalName)])].sort();
}

function canonicalName(name: string): string {
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  const family = isIP(bare);
  if (family === 6 && !bare.includes('%')) return new SocketAddress({ address: bare, family: 'ipv6' }).address;
  if (family === 4) return bare;
  const wildcard = bare.startsWith('*.') ? '*.' : '';
  const host = domainToASCII(bare.slice(wildcard.length)).replace(/\.$/, '');
  if (HOST_NAME.test(host) && host.length + wildcard.length <= 253) return wildcard + host;
  throw new Error(
    `${JSON.stringify(name)} cannot stand in a certificate; give a host name, *.host or an address, without port`,
  );
}

/** Quoted for a POSIX shell where that is needed. */
function shellWord(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

const ALWAYS = ['localhost', '127.0.0.1', '::1'] as const;
const HOST_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const ONE_DAY = 24 * 3_600_000;
