import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  CertificateFileError,
  type CertificatePaths,
  type FileFault,
  readCertificateFiles,
} from './certificate-files.ts';
import { createAuthority, issueCertificate, type PemPair } from './issue-certificate.ts';

const DAY = 24 * 3_600_000;

describe('readCertificateFiles', () => {
  let home: string;
  let ca: PemPair;
  let leaf: PemPair;
  let other: PemPair;
  let count = 0;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'certificate-files-'));
    ca = await createAuthority(Date.now());
    leaf = await issue(['api.example.com', '*.Example.org', '127.0.0.1', '::1']);
    other = await issue(['other.example.com']);
  });
  after(async () => {
    await rm(home, { recursive: true, force: true });
  });

  async function issue(names: readonly string[]): Promise<PemPair> {
    const notAfter = new X509Certificate(ca.cert).validToDate;
    return await issueCertificate({ ca: { ...ca, key: createPrivateKey(ca.key), notAfter }, names, now: Date.now() });
  }

  async function write(pem: PemPair): Promise<CertificatePaths> {
    count += 1;
    const paths = { cert: join(home, `${count}.pem`), key: join(home, `${count}.key`) };
    await writeFile(paths.cert, pem.cert);
    await writeFile(paths.key, pem.key);
    return paths;
  }

  async function faultsOf(paths: CertificatePaths, now = Date.now()): Promise<readonly FileFault[]> {
    try {
      await readCertificateFiles(paths, now);
    } catch (error) {
      assert.ok(error instanceof CertificateFileError, String(error));
      assert.doesNotMatch(error.message, /[A-Za-z0-9+/]{40}/, 'no fault prints a key');
      return error.faults;
    }
    assert.fail('the files were accepted');
  }

  it('returns the chain, the key, the names and the end of a sound pair', async () => {
    const paths = await write({ cert: `${leaf.cert}\n${ca.cert}`, key: leaf.key });
    const read = await readCertificateFiles(paths);
    assert.deepEqual([...read.names].sort(), ['*.example.org', '127.0.0.1', '::1', 'api.example.com']);
    assert.equal(read.notAfter.getTime(), new X509Certificate(leaf.cert).validToDate.getTime());
    assert.equal(read.cert.match(/BEGIN CERTIFICATE/g)?.length, 2);
    assert.ok(new X509Certificate(read.cert).checkPrivateKey(createPrivateKey(read.key)));
    assert.deepEqual(read.warnings, []);
  });

  it('reads both halves from one file, and does not hand out the key with the certificate', async () => {
    const { cert } = await write({ cert: `${leaf.key}${leaf.cert}`, key: '' });
    const read = await readCertificateFiles({ cert, key: cert });
    assert.ok(!read.cert.includes('PRIVATE KEY'));
  });

  it('reads RSA and SEC1 keys as OpenSSL writes them', async () => {
    const files = { cert: join(home, 'rsa.pem'), key: join(home, 'rsa.key') };
    selfSigned(files, ['-newkey', 'rsa:2048', '-addext', 'subjectAltName=DNS:rsa.example.com']);
    assert.deepEqual((await readCertificateFiles(files)).names, ['rsa.example.com']);
    const sec1 = createPrivateKey(leaf.key).export({ type: 'sec1', format: 'pem' }).toString();
    assert.ok(
      (await readCertificateFiles(await write({ cert: leaf.cert, key: sec1 }))).key.includes('BEGIN PRIVATE KEY'),
    );
  });

  it('names both files when both are missing', async () => {
    const paths = { cert: join(home, 'none.pem'), key: join(home, 'none.key') };
    const faults = await faultsOf(paths);
    assert.deepEqual(
      faults.map(({ path, problem }) => ({ path, problem })),
      [
        { path: paths.cert, problem: 'does not exist' },
        { path: paths.key, problem: 'does not exist' },
      ],
    );
  });

  it('refuses what is no regular file, or too large', async () => {
    const { cert, key } = await write(leaf);
    assert.match((await faultsOf({ cert: home, key }))[0]?.problem ?? '', /is a directory/);
    assert.match((await faultsOf({ cert: '/dev/zero', key }))[0]?.problem ?? '', /not a regular file/);
    const pipe = join(home, 'pipe');
    execFileSync('mkfifo', [pipe]);
    assert.match((await faultsOf({ cert, key: pipe }))[0]?.problem ?? '', /not a regular file/);
    const large = join(home, 'large');
    await writeFile(large, Buffer.alloc(2 ** 20 + 1));
    assert.match((await faultsOf({ cert: large, key }))[0]?.problem ?? '', /larger than 1 MiB/);
  });

  it('sees that the two paths are swapped', async () => {
    const { cert, key } = await write(leaf);
    const faults = await faultsOf({ cert: key, key: cert });
    assert.deepEqual(
      faults.map(({ path }) => path),
      [key, cert],
    );
    assert.match(faults[0]?.remedy ?? '', /swapped/);
  });

  it('refuses a key that is not the certificate’s, and knows a chain in the wrong order', async () => {
    const stranger = await faultsOf(await write({ cert: leaf.cert, key: other.key }));
    assert.match(stranger[0]?.problem ?? '', /does not belong to the first certificate/);
    const reversed = await faultsOf(await write({ cert: `${ca.cert}\n${leaf.cert}`, key: leaf.key }));
    assert.match(reversed[0]?.remedy ?? '', /certificate 2 of the file: put that one first/);
  });

  it('refuses an expired certificate, and warns of one with less than 14 days', async () => {
    const paths = await write(leaf);
    const end = new X509Certificate(leaf.cert).validToDate.getTime();
    assert.match((await faultsOf(paths, end))[0]?.problem ?? '', /expired at/);
    assert.deepEqual((await readCertificateFiles(paths, end - 14 * DAY)).warnings, []);
    const soon = await readCertificateFiles(paths, end - 14 * DAY + 1);
    assert.match(soon.warnings[0]?.problem ?? '', /expires at/);
    assert.equal(soon.warnings[0]?.path, paths.cert);
  });

  it('warns of a certificate that is not valid yet', async () => {
    const start = new X509Certificate(leaf.cert).validFromDate.getTime();
    assert.match(
      (await readCertificateFiles(await write(leaf), start - 1)).warnings[0]?.problem ?? '',
      /not valid before/,
    );
  });

  it('warns of a chain whose links do not hold', async () => {
    const read = await readCertificateFiles(await write({ cert: `${leaf.cert}\n${other.cert}`, key: leaf.key }));
    assert.match(read.warnings[0]?.problem ?? '', /certificate 2 of 2 did not issue/);
  });

  it('warns of a certificate without names, and of one for other purposes', async () => {
    const files = { cert: join(home, 'odd.pem'), key: join(home, 'odd.key') };
    selfSigned(files, ['-newkey', 'rsa:2048', '-addext', 'extendedKeyUsage=clientAuth']);
    const problems = (await readCertificateFiles(files)).warnings.map(({ problem }) => problem).join('\n');
    assert.match(problems, /no subjectAltName/);
    assert.match(problems, /not meant for TLS servers/);
  });

  it('refuses broken PEM, an encrypted key, and all at once', async () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as const;
    const encrypted = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(cipher).toString();
    const faults = await faultsOf(await write({ cert: `${leaf.cert}\n${broken}`, key: encrypted }));
    assert.match(faults[0]?.problem ?? '', /certificate 2 of 2 cannot be parsed/);
    assert.match(faults[1]?.problem ?? '', /encrypted/);
    assert.match((await faultsOf(await write({ cert: 'x', key: 'y' })))[1]?.problem ?? '', /no PEM private key/);
  });

  it('refuses what TLS itself would not serve', async () => {
    const files = { cert: join(home, 'weak.pem'), key: join(home, 'weak.key') };
    selfSigned(files, ['-newkey', 'rsa:1024', '-addext', 'subjectAltName=DNS:weak.example.com']);
    assert.match((await faultsOf(files))[0]?.problem ?? '', /TLS does not accept/);
  });
});

function selfSigned(files: CertificatePaths, options: readonly string[]): void {
  const fixed = ['req', '-x509', '-nodes', '-days', '90', '-subj', '/CN=x', '-out', files.cert, '-keyout', files.key];
  execFileSync('openssl', [...fixed, ...options], { stdio: 'ignore' });
}
