import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import { createSecureContext } from 'node:tls';

/** A certificate as the workers get it: plain PEM data, ready for a TLS server. */
export interface Certificate {
  /** The server's own certificate first, then its chain. */
  readonly cert: string;
  readonly key: string;
  /** DNS names and addresses of the subjectAltName, lower case. */
  readonly names: readonly string[];
  readonly notAfter: Date;
}

/** Something wrong with one half of a pair, and what would be right. Holds no key material. */
export interface PairFault {
  readonly where: 'cert' | 'key';
  readonly problem: string;
  readonly remedy: string;
}

export interface PairFindings {
  /** Undefined where there are faults. */
  readonly certificate: Certificate | undefined;
  readonly notBefore: Date | undefined;
  readonly faults: readonly PairFault[];
  readonly warnings: readonly PairFault[];
}

/** Looks at a certificate chain and its key, both PEM, and finds all that is wrong at once. `now` in milliseconds. */
export function inspectPair(pem: { readonly cert: string; readonly key: string }, now: number): PairFindings {
  const faults: PairFault[] = [];
  const warnings: PairFault[] = [];
  const chain = parseChain(pem.cert, faults);
  const key = parseKey(pem.key, faults);
  const [leaf] = chain;
  if (leaf !== undefined) {
    checkDates(leaf, now, faults, warnings);
    checkUse(leaf, warnings);
    checkOrder(chain, warnings);
    if (key !== undefined) checkMatch(chain, key, faults);
  }
  if (leaf === undefined || key === undefined || faults.length > 0) {
    return { certificate: undefined, notBefore: leaf?.validFromDate, faults, warnings };
  }
  const certificate = {
    cert: chain.map(String).join(''), // only the certificates: a key in the same file stays here
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    names: namesOf(leaf),
    notAfter: leaf.validToDate,
  };
  const refusal = refusedByTls(certificate);
  if (refusal !== undefined)
    return { certificate: undefined, notBefore: leaf.validFromDate, faults: [refusal], warnings };
  return { certificate, notBefore: leaf.validFromDate, faults, warnings };
}

function parseChain(text: string, faults: PairFault[]): readonly X509Certificate[] {
  const blocks = text.match(CERTIFICATE_BLOCK) ?? [];
  if (blocks.length === 0) {
    const swapped = PRIVATE_KEY.test(text);
    faults.push({
      where: 'cert',
      problem: swapped ? 'holds a private key but no certificate' : 'holds no PEM certificate',
      remedy: swapped
        ? 'name the certificate here and the key under `key`; the two may be swapped'
        : 'give a PEM file that begins with -----BEGIN CERTIFICATE-----',
    });
  }
  const chain: X509Certificate[] = [];
  for (const [position, block] of blocks.entries()) {
    try {
      chain.push(new X509Certificate(block));
    } catch {
      faults.push({
        where: 'cert',
        problem: `certificate ${position + 1} of ${blocks.length} cannot be parsed`,
        remedy: 'give whole PEM certificates, the server’s own first, then its issuers',
      });
    }
  }
  return chain;
}

function parseKey(text: string, faults: PairFault[]): KeyObject | undefined {
  if (ENCRYPTED_KEY.test(text)) {
    faults.push({
      where: 'key',
      problem: 'the private key is encrypted',
      remedy: 'store it decrypted (openssl pkey -in … -out …), readable by the gateway alone',
    });
    return undefined;
  }
  const block = text.match(PRIVATE_KEY_BLOCK)?.[0];
  try {
    if (block !== undefined) return createPrivateKey(block);
  } catch {
    // OpenSSL's own words do not help a reader; the fault below does.
  }
  faults.push({
    where: 'key',
    problem: block === undefined ? 'holds no PEM private key' : 'the private key cannot be parsed',
    remedy: 'give a PEM file that begins with -----BEGIN PRIVATE KEY-----',
  });
  return undefined;
}

function checkDates(leaf: X509Certificate, now: number, faults: PairFault[], warnings: PairFault[]): void {
  const end = leaf.validToDate;
  if (end.getTime() <= now) {
    faults.push({ where: 'cert', problem: `the certificate expired at ${end.toISOString()}`, remedy: 'renew it' });
  } else if (end.getTime() - now < EXPIRES_SOON) {
    warnings.push({
      where: 'cert',
      problem: `the certificate expires at ${end.toISOString()}`,
      remedy: 'renew it soon',
    });
  }
  if (leaf.validFromDate.getTime() > now) {
    warnings.push({
      where: 'cert',
      problem: `the certificate is not valid before ${leaf.validFromDate.toISOString()}`,
      remedy: 'check the clock of this machine, or wait until then',
    });
  }
}

function checkUse(leaf: X509Certificate, warnings: PairFault[]): void {
  if (namesOf(leaf).length === 0) {
    warnings.push({
      where: 'cert',
      problem: 'the certificate has no subjectAltName, so no client can match it to a host',
      remedy: 'issue it with a subjectAltName for each host (RFC 9525 §2)',
    });
  }
  const purposes = leaf.keyUsage;
  // Node's types say an array always; a certificate without the extension gives undefined.
  if (purposes !== undefined && !purposes.includes(SERVER_AUTH) && !purposes.includes(ANY_PURPOSE)) {
    warnings.push({
      where: 'cert',
      problem: 'the certificate is not meant for TLS servers',
      remedy: 'issue it with the extended key usage serverAuth',
    });
  }
}

function checkOrder(chain: readonly X509Certificate[], warnings: PairFault[]): void {
  for (const [position, certificate] of chain.entries()) {
    const issuer = chain[position + 1];
    if (issuer === undefined || (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))) continue;
    warnings.push({
      where: 'cert',
      problem: `certificate ${position + 2} of ${chain.length} did not issue the one before it`,
      remedy: 'put the server’s own certificate first, then each issuer in turn',
    });
  }
}

function checkMatch(chain: readonly X509Certificate[], key: KeyObject, faults: PairFault[]): void {
  const owner = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (owner === 0) return;
  faults.push({
    where: 'key',
    problem: 'the key does not belong to the first certificate',
    remedy:
      owner > 0
        ? `it belongs to certificate ${owner + 1} of the file: put that one first`
        : 'give the key the certificate was requested with',
  });
}

/** OpenSSL has the last word: it knows what it will not serve (keys too short, digests too weak). */
function refusedByTls(certificate: Certificate): PairFault | undefined {
  try {
    createSecureContext({ cert: certificate.cert, key: certificate.key });
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      where: 'cert',
      problem: `TLS does not accept the certificate: ${reason}`,
      remedy: 'issue it with an ECDSA P-256 or an RSA 2048 key and SHA-256 or better',
    };
  }
}

/** Names from Node's text form of the subjectAltName. It puts quotes round values with commas or controls in them: no host has such a name. */
function namesOf(certificate: X509Certificate): readonly string[] {
  const names: string[] = [];
  for (const match of (certificate.subjectAltName ?? '').matchAll(ALT_NAME)) {
    const value = match.groups?.['value'];
    if (value === undefined || value.startsWith('"')) continue;
    names.push(isIP(value) === 6 ? new SocketAddress({ address: value, family: 'ipv6' }).address : value.toLowerCase());
  }
  return names;
}

const CERTIFICATE_BLOCK =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const PRIVATE_KEY_BLOCK = /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----[^-]+-----END (?:RSA |EC )?PRIVATE KEY-----/;
const ENCRYPTED_KEY = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/;
const ALT_NAME = /(?:^|, )(?:DNS|IP Address):(?<value>"(?:[^"\\]|\\.)*"|[^,]*)/g;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_PURPOSE = '2.5.29.37.0';
const EXPIRES_SOON = 14 * 24 * 3_600_000;
