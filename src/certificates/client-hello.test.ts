import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { before, describe, it } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import fc from 'fast-check';
import { offersAcmeTls } from './client-hello.ts';

describe('offersAcmeTls', () => {
  let acme: Buffer;
  let browser: Buffer;
  before(async () => {
    acme = await clientHello({ ALPNProtocols: ['acme-tls/1'], servername: 'localhost' });
    browser = await clientHello({ ALPNProtocols: ['h2', 'http/1.1'], servername: 'localhost' });
  });

  it('says yes to the ClientHello of a validation', () => {
    assert.equal(offersAcmeTls(acme), 'yes');
  });

  it('says yes where bytes follow it, or where only TLS 1.2 is spoken', async () => {
    assert.equal(offersAcmeTls(Buffer.concat([acme, Buffer.from('more')])), 'yes');
    assert.equal(offersAcmeTls(await clientHello({ ALPNProtocols: ['acme-tls/1'], maxVersion: 'TLSv1.2' })), 'yes');
  });

  it('says no to other protocols, to none, and to acme-tls/1 among others (RFC 8737 §3 has it alone)', async () => {
    assert.equal(offersAcmeTls(browser), 'no');
    assert.equal(offersAcmeTls(await clientHello({})), 'no');
    assert.equal(offersAcmeTls(await clientHello({ ALPNProtocols: ['acme-tls/1', 'h2'] })), 'no');
    assert.equal(offersAcmeTls(await clientHello({ ALPNProtocols: ['acme-tls/11'] })), 'no');
  });

  it('says no where a protocol’s length does not fit its list', () => {
    const at = acme.indexOf('\x0aacme-tls/1');
    assert.ok(at > 0);
    for (const length of [0, 9, 11, 255]) {
      const hello = Buffer.from(acme);
      hello[at] = length;
      assert.equal(offersAcmeTls(hello), 'no', `${length}`);
    }
  });

  it('asks for more on each part of a ClientHello', () => {
    for (const hello of [acme, browser]) {
      for (let length = 0; length < hello.length; length += 1) {
        assert.equal(offersAcmeTls(hello.subarray(0, length)), 'need-more', `${length} bytes`);
      }
    }
  });

  it('puts a ClientHello together that comes in several records', () => {
    assert.equal(offersAcmeTls(inRecords(acme, 100)), 'yes');
    assert.equal(offersAcmeTls(inRecords(browser, 100)), 'no');
    const parted = inRecords(acme, 100);
    for (let length = 0; length < parted.length; length += 1) {
      assert.equal(offersAcmeTls(parted.subarray(0, length)), 'need-more', `${length} bytes`);
    }
  });

  // biome-ignore format: aligned on purpose, one case a row
  const refused = [
    { why: 'plain HTTP',                        bytes: Buffer.from('G') },
    { why: 'a PROXY protocol header',           bytes: Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1') },
    { why: 'an alert record',                   bytes: Buffer.from([21, 3, 1, 0, 2, 1, 0]) },
    { why: 'an empty record',                   bytes: Buffer.from([22, 3, 1, 0, 0]) },
    { why: 'a record over 2^14 bytes',          bytes: Buffer.from([22, 3, 1, 0x40, 1]) },
    { why: 'a handshake that is no ClientHello', bytes: Buffer.from([22, 3, 1, 0, 4, 2]) },
    { why: 'a message over 2^14 bytes',         bytes: Buffer.from([22, 3, 1, 0, 4, 1, 0, 0x40, 1]) },
    { why: 'a byte a record',                   bytes: Buffer.concat(Array.from({ length: 17 }, () => Buffer.from([22, 3, 1, 0, 1, 1]))) },
    { why: 'an empty ClientHello',              bytes: Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]) },
  ];
  for (const { why, bytes } of refused) {
    it(`says no to ${why}`, () => {
      assert.equal(offersAcmeTls(bytes), 'no');
    });
  }

  it('never throws, and never takes an answer back when more bytes come', () => {
    const garbage = fc.uint8Array({ maxLength: 400 });
    const framed = garbage.map((body) =>
      Buffer.concat([Buffer.from([22, 3, 1, body.length >> 8, body.length & 255]), body]),
    );
    fc.assert(fc.property(fc.oneof(garbage, framed), garbage, staysTheSame), { numRuns: 2000 });
  });

  it('never throws on a ClientHello with changed bytes', () => {
    const damage = fc.array(fc.record({ at: fc.nat(), value: fc.nat(255) }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.boolean(), (changes, parted) => {
        const hello = Buffer.from(parted ? inRecords(acme, 64) : acme);
        for (const { at, value } of changes) hello[at % hello.length] = value;
        staysTheSame(hello, Buffer.alloc(3));
      }),
      { numRuns: 2000 },
    );
  });
});

function staysTheSame(bytes: Uint8Array, more: Uint8Array): void {
  const answer = offersAcmeTls(bytes);
  assert.ok(answer === 'yes' || answer === 'no' || answer === 'need-more');
  if (answer !== 'need-more') assert.equal(offersAcmeTls(Buffer.concat([bytes, more])), answer);
}

/** The same handshake bytes cut into records of `size`. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 255]), fragment);
  }
  return Buffer.concat(records);
}

/** The first record OpenSSL sends with these options. */
async function clientHello(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const client = connect({ ...options, host: '127.0.0.1', port });
  client.on('error', () => undefined);
  const [socket] = await once(server, 'connection');
  let bytes = Buffer.alloc(0);
  while (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) {
    const [chunk] = await once(socket, 'data');
    bytes = Buffer.concat([bytes, chunk]);
  }
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}
