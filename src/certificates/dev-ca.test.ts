import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connect, createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openDevCa } from './dev-ca.ts';
import { renewalDue } from './kept-certificate.ts';

const DAY = 24 * 3_600_000;

describe('openDevCa', () => {
  let parent: string;
  let home: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'dev-ca-'));
    home = join(parent, 'dev ca');
  });
  afterEach(async () => {
    await rm(parent, { recursive: true, force: true });
  });

  it('makes a CA of ten years and certificates that OpenSSL’s strict rules accept', async () => {
    const ca = await openDevCa(home);
    const leaf = await ca.issue(['api.example.com', '*.example.org']);
    const leafFile = join(parent, 'leaf.pem');
    await writeFile(leafFile, leaf.cert);
    const names = ['-verify_hostname', 'a.example.org', '-purpose', 'sslserver'];
    execFileSync('openssl', ['verify', '-x509_strict', ...names, '-CAfile', ca.caFile, leafFile], { stdio: 'pipe' });
    const authority = new X509Certificate(ca.caCert);
    assert.equal(Math.round((authority.validToDate.getTime() - Date.now()) / DAY), 3650);
    const certificate = new X509Certificate(leaf.cert);
    assert.ok(certificate.validToDate.getTime() - certificate.validFromDate.getTime() <= 397 * DAY);
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.equal(certificate.ca, false);
  });

  it('serves every name by TLS to a client that trusts the CA file', async () => {
    const ca = await openDevCa(home);
    const leaf = await ca.issue(['api.example.com', '*.example.org', '[::1]', 'münchen.example', 'API.example.com.']);
    const names = ['*.example.org', '127.0.0.1', '::1', 'api.example.com', 'localhost', 'xn--mnchen-3ya.example'];
    assert.deepEqual(leaf.names, names);
    const server = createServer({ cert: leaf.cert, key: leaf.key }, (socket) => socket.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // a TCP server that listens has one
    const roots = await readFile(ca.caFile, 'utf8');
    for (const servername of ['localhost', 'api.example.com', 'x.example.org']) {
      const client = connect({ host: '127.0.0.1', port, servername, ca: roots });
      await once(client, 'secureConnect');
      client.destroy();
    }
    const byAddress = connect({ host: '127.0.0.1', port, ca: roots });
    await once(byAddress, 'secureConnect');
    byAddress.destroy();
    const stranger = connect({ host: '127.0.0.1', port, servername: 'evil.example', ca: roots });
    const [error] = await once(stranger, 'error');
    assert.equal(error.code, 'ERR_TLS_CERT_ALTNAME_INVALID');
    server.close();
  });

  it('gives a line that makes curl trust it', async () => {
    const ca = await openDevCa(home);
    const leaf = await ca.issue([]);
    const server = createServer({ cert: leaf.cert, key: leaf.key }, (socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // a TCP server that listens has one
    assert.equal(await shell(`${ca.trustHint.curl} --silent https://localhost:${port}/`), 'hi');
    assert.match(ca.trustHint.debian, /update-ca-certificates$/);
    assert.ok(ca.trustHint.debian.includes(`'${ca.caFile}'`), 'a path with a space is quoted');
    server.close();
  });

  it('keeps the CA and the certificates, for their owner alone', async () => {
    const first = await openDevCa(home);
    const leaf = await first.issue(['b.example', 'a.example']);
    const second = await openDevCa(home);
    assert.equal(second.caCert, first.caCert);
    assert.equal((await second.issue(['a.example', 'b.example', 'a.example'])).cert, leaf.cert, 'order does not count');
    assert.equal((await stat(home)).mode & 0o777, 0o700);
    for (const file of await readdir(home)) {
      assert.equal((await stat(join(home, file))).mode & 0o777, file === 'ca.pem' ? 0o644 : 0o600, file);
    }
    assert.equal((await readdir(home)).length, 3, 'nothing temporary is left');
  });

  it('closes a directory that was open to others', async () => {
    await openDevCa(home);
    await chmod(home, 0o755);
    await openDevCa(home);
    assert.equal((await stat(home)).mode & 0o777, 0o700);
  });

  it('gives racing processes the same CA', async () => {
    const module = fileURLToPath(new URL('./dev-ca.ts', import.meta.url));
    const script = `const { openDevCa } = await import(${JSON.stringify(module)});
      const ca = await openDevCa(${JSON.stringify(home)}); const leaf = await ca.issue(['a.example']);
      process.stdout.write(JSON.stringify({ ca: ca.caCert, leaf: leaf.cert }));`;
    const runs = await Promise.all(Array.from({ length: 3 }, () => node(script)));
    const results = runs.map((text): { ca: string; leaf: string } => JSON.parse(text));
    const [authority] = results.map(({ ca }) => new X509Certificate(ca));
    assert.ok(authority);
    for (const { ca, leaf } of results) {
      assert.equal(new X509Certificate(ca).fingerprint256, authority.fingerprint256);
      assert.ok(new X509Certificate(leaf).verify(authority.publicKey));
    }
    assert.deepEqual(
      (await readdir(home)).filter((file) => file.endsWith('.tmp')),
      [],
    );
  });

  it('makes another certificate for other names, and a new one when a third of the life is left', async () => {
    let clock = Date.now();
    const ca = await openDevCa(home, () => clock);
    const first = await ca.issue(['a.example']);
    assert.notEqual((await ca.issue(['a.example', 'b.example'])).cert, first.cert);
    const due = renewalDue({ notBefore: new X509Certificate(first.cert).validFromDate, notAfter: first.notAfter });
    clock = due - 1;
    assert.equal((await ca.issue(['a.example'])).cert, first.cert);
    clock = due;
    const renewed = await ca.issue(['a.example']);
    assert.notEqual(renewed.cert, first.cert);
    assert.ok(renewed.notAfter > first.notAfter);
  });

  it('never gives a certificate a longer life than the CA’s own', async () => {
    let clock = Date.now();
    const ca = await openDevCa(home, () => clock);
    clock = new X509Certificate(ca.caCert).validToDate.getTime() - 30 * DAY;
    const leaf = await ca.issue(['a.example']);
    assert.equal(leaf.notAfter.getTime(), new X509Certificate(ca.caCert).validToDate.getTime());
  });

  it('makes a certificate anew when the kept one is damaged or of another CA', async () => {
    const first = await (await openDevCa(home)).issue(['a.example']);
    const [leafFile] = (await readdir(home)).filter((file) => file.startsWith('leaf-'));
    assert.ok(leafFile);
    await writeFile(join(home, leafFile), 'damaged');
    const second = await (await openDevCa(home)).issue(['a.example']);
    assert.notEqual(second.cert, first.cert);
    await rm(join(home, 'ca-key.pem'));
    const other = await openDevCa(home);
    const third = await other.issue(['a.example']);
    assert.ok(new X509Certificate(third.cert).verify(new X509Certificate(other.caCert).publicKey));
  });

  it('mends the public copy, but never replaces a damaged or dying CA behind its users’ back', async () => {
    const ca = await openDevCa(home);
    await writeFile(ca.caFile, 'something else');
    await openDevCa(home);
    assert.equal(await readFile(ca.caFile, 'utf8'), ca.caCert);
    const end = new X509Certificate(ca.caCert).validToDate.getTime();
    await assert.rejects(
      openDevCa(home, () => end),
      /ca-key\.pem: the CA expires at .*; remove .* then trust the new one/,
    );
    await writeFile(join(home, 'ca-key.pem'), ca.caCert);
    await assert.rejects(openDevCa(home), /ca-key\.pem: does not hold a development CA and its key; remove/);
  });

  it('refuses names no certificate can bear', async () => {
    const ca = await openDevCa(home);
    for (const name of [
      '',
      'a b',
      'host:8443',
      '*.*.example',
      'a.*.example',
      '*',
      'a..b',
      `${'a'.repeat(64)}.example`,
      'a\0b',
    ]) {
      await assert.rejects(ca.issue([name]), /cannot stand in a certificate/, JSON.stringify(name));
    }
  });
});

async function node(script: string): Promise<string> {
  return await output(process.execPath, ['--input-type=module', '--eval', script]);
}

async function shell(line: string): Promise<string> {
  return await output('/bin/sh', ['-c', line]);
}

async function output(command: string, parameters: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, [...parameters], { timeout: 20_000 });
  return stdout;
}
