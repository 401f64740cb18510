import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

export interface HelloOptions {
  /** Any bytes at all; undefined leaves the extension out. */
  readonly serverName: Buffer | undefined;
  readonly repeatServerName?: boolean;
  readonly namesInList?: number;
  /** 0x0303 is TLS 1.2, the newest these hellos offer. */
  readonly version?: number;
  readonly ciphers?: readonly number[];
}

/** A ClientHello (RFC 5246 §7.4.1.2) made by hand, in as many records as it needs. */
export function clientHello(options: HelloOptions): Buffer {
  const { serverName, version = 0x0303, ciphers = MODERN_CIPHERS } = options;
  const names = serverName === undefined ? [] : [extension(0, serverNameList(serverName, options.namesInList ?? 1))];
  const extensions = [
    ...names,
    ...(options.repeatServerName === true ? names : []),
    extension(10, withLength16(uint16s(0x001d, 0x0017, 0x0018))), // supported_groups
    extension(11, Buffer.from([1, 0])), // ec_point_formats
    extension(13, withLength16(uint16s(0x0403, 0x0804, 0x0401, 0x0503, 0x0805))), // signature_algorithms
    extension(16, withLength16(Buffer.concat([Buffer.from([8]), Buffer.from('http/1.1')]))), // ALPN
    extension(23, Buffer.alloc(0)), // extended_master_secret
    extension(0xff01, Buffer.from([0])), // renegotiation_info
  ];
  const body = Buffer.concat([
    uint16s(version),
    randomBytes(32),
    Buffer.from([0]), // no session
    withLength16(uint16s(...ciphers)),
    Buffer.from([1, 0]), // no compression
    withLength16(Buffer.concat(extensions)),
  ]);
  const message = Buffer.concat([
    Buffer.from([1, body.length >> 16, (body.length >> 8) & 255, body.length & 255]),
    body,
  ]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += 16_384) {
    records.push(
      Buffer.concat([Buffer.from([0x16]), uint16s(0x0301), withLength16(message.subarray(at, at + 16_384))]),
    );
  }
  return Buffer.concat(records);
}

/** The type of the first record that answers these bytes (0x16 a handshake, 0x15 an alert); -1 where none comes before the connection ends or `withinMs` is over. */
export function firstRecord(port: number, bytes: Buffer, withinMs = 5_000): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (type: number): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(type);
    };
    const timer = setTimeout(() => finish(-1), withinMs);
    socket.on('data', (chunk: Buffer) => finish(chunk[0] ?? -1));
    socket.on('error', () => finish(-1)).on('close', () => finish(-1));
    socket.write(bytes);
  });
}

function serverNameList(name: Buffer, times: number): Buffer {
  const entry = Buffer.concat([Buffer.from([0]), withLength16(name)]);
  return withLength16(Buffer.concat(Array.from({ length: times }, () => entry)));
}

function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([uint16s(type), withLength16(data)]);
}

function withLength16(data: Buffer): Buffer {
  return Buffer.concat([uint16s(data.length), data]);
}

function uint16s(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, at) => {
    bytes.writeUInt16BE(value, at * 2);
  });
  return bytes;
}

/** ECDHE with AES-GCM, for ECDSA and for RSA certificates. */
const MODERN_CIPHERS = [0xc02b, 0xc02f, 0xc02c, 0xc030];
