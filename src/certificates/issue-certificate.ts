// @peculiar/x509 2 needs the Reflect metadata API to be there when it loads; acme-client brings and installs it.
import 'acme-client';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOrder {
  readonly ca: { readonly cert: string; readonly key: KeyObject; readonly notAfter: Date };
  /** Host names and addresses, canonical, at least one. */
  readonly names: readonly string[];
  /** Milliseconds. */
  readonly now: number;
}

/** Makes a self-signed ECDSA P-256 authority of ten years that signs leaf certificates only. `now` in milliseconds. */
export async function createAuthority(now: number): Promise<PemPair> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // The random part tells several machines' CAs apart in a trust store.
    name: [{ CN: [`Sallyport development CA ${randomBytes(4).toString('hex')}`] }],
    serialNumber: serialNumber(),
    notBefore: new Date(now - CLOCK_SKEW),
    notAfter: new Date(now + CA_LIFE),
    keys,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString('pem'), key: pemOf(keys.privateKey) };
}

/** Signs a TLS server certificate of 397 days, the most that browsers take, and never past the end of its CA. */
export async function issueCertificate(order: IssueOrder): Promise<PemPair> {
  const issuer = new X509Certificate(order.ca.cert);
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: ['Sallyport development certificate'] }],
    issuer: issuer.subjectName,
    serialNumber: serialNumber(),
    notBefore: new Date(order.now - CLOCK_SKEW),
    notAfter: new Date(Math.min(order.now - CLOCK_SKEW + LEAF_LIFE, order.ca.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: order.ca.key.toCryptoKey(P256, false, ['sign']),
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(order.names.map(alternativeName)),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: certificate.toString('pem'), key: pemOf(keys.privateKey) };
}

function alternativeName(name: string): { readonly type: 'ip' | 'dns'; readonly value: string } {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}

function pemOf(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Positive, and 128 bits of chance (RFC 5280 §4.1.2.2). */
function serialNumber(): string {
  return `01${randomBytes(16).toString('hex')}`;
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;
const ONE_DAY = 24 * 3_600_000;
const CA_LIFE = 3650 * ONE_DAY;
const LEAF_LIFE = 397 * ONE_DAY;

/** Clients whose clock is a little behind, containers and virtual machines among them, take the certificate too. */
const CLOCK_SKEW = 3_600_000;
