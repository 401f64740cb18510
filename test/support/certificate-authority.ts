// @peculiar/x509 2 needs the Reflect metadata API to be there when it loads; acme-client brings and installs it.
import 'acme-client';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority {
  readonly cert: string;
  /** A certificate for servers and clients alike, valid for a day. */
  issue(...names: string[]): Promise<PemPair>;
}

/** A certificate authority that nobody trusts but the test. */
export async function createTestAuthority(commonName = 'Test CA'): Promise<TestAuthority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    ...validity(),
    keys,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    cert: certificate.toString('pem'),
    async issue(...names) {
      const leaf = await newKeys();
      const issued = await X509CertificateGenerator.create({
        subject: [{ CN: [names[0] ?? 'nobody'] }],
        issuer: certificate.subjectName,
        serialNumber: `01${randomBytes(8).toString('hex')}`,
        ...validity(),
        publicKey: leaf.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: SIGNATURE,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
          new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
          await AuthorityKeyIdentifierExtension.create(keys.publicKey),
        ],
      });
      return {
        cert: issued.toString('pem'),
        key: KeyObject.from(leaf.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
    },
  };
}

/** Writes `<name>.pem` and `<name>-key.pem`; the entry for `tls.certificates`. */
export async function writePair(directory: string, name: string, pair: PemPair): Promise<string> {
  await mkdir(directory, { recursive: true });
  const cert = join(directory, `${name}.pem`);
  const key = join(directory, `${name}-key.pem`);
  await writeFile(key, pair.key, { mode: 0o600 });
  await writeFile(cert, pair.cert);
  return `{ cert: '${cert}', key: '${key}' }`;
}

function newKeys() {
  return webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 24 * 3_600_000) };
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;
