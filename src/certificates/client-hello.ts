/** `need-more` only while the bytes are a sound beginning of a ClientHello; an answer once given holds for any longer prefix. */
export type AcmeTlsOffer = 'yes' | 'no' | 'need-more';

/**
 * Whether the first bytes of a connection are a ClientHello whose only ALPN protocol is `acme-tls/1`,
 * which is how an ACME server opens a tls-alpn-01 validation (RFC 8737 §3). Anything that is not, or is
 * longer than a sane ClientHello, is a 'no' and belongs to the ordinary TLS stack, which judges it.
 */
export function offersAcmeTls(firstBytes: Uint8Array): AcmeTlsOffer {
  const message = readHandshakeMessage(firstBytes);
  if (typeof message === 'string') return message;
  const protocols = readAlpn(message);
  return protocols !== undefined && protocols.length === 1 && protocols[0] === ACME_TLS ? 'yes' : 'no';
}

/** The body of the first handshake message, put together from its records (RFC 8446 §5.1), if it is a complete ClientHello. */
function readHandshakeMessage(bytes: Uint8Array): Uint8Array | 'no' | 'need-more' {
  const fragments: Uint8Array[] = [];
  let gathered = 0;
  let at = 0;
  for (let record = 0; record < MAX_RECORDS; record += 1) {
    // The header is judged byte by byte, so that plain HTTP is refused on its first byte and never waited for.
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return 'no';
    if (at + 1 < bytes.length && bytes[at + 1] !== TLS_MAJOR) return 'no';
    if (at + RECORD_HEADER > bytes.length) return 'need-more';
    const length = u16(bytes, at + 3);
    if (length === 0 || length > MAX_RECORD) return 'no';
    const fragment = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
    fragments.push(fragment);
    gathered += fragment.length;
    const head = joined(fragments, HANDSHAKE_HEADER);
    if (head.length > 0 && head[0] !== CLIENT_HELLO) return 'no';
    if (head.length === HANDSHAKE_HEADER) {
      const wanted = ((head[1] ?? 0) << 16) | u16(head, 2);
      if (wanted > MAX_MESSAGE) return 'no';
      const total = HANDSHAKE_HEADER + wanted;
      if (gathered >= total) return joined(fragments, total).subarray(HANDSHAKE_HEADER);
    }
    if (fragment.length < length) return 'need-more';
    at += RECORD_HEADER + length;
  }
  return 'no';
}

/** The ALPN protocols of a ClientHello body (RFC 8446 §4.1.2, RFC 7301 §3.1); undefined where there are none or the body is malformed. */
function readAlpn(hello: Uint8Array): readonly string[] | undefined {
  let at = 2 + 32; // legacy_version, random
  at += 1 + (hello[at] ?? 0); // legacy_session_id
  at += 2 + u16(hello, at); // cipher_suites
  at += 1 + (hello[at] ?? 0); // legacy_compression_methods
  const end = at + 2 + u16(hello, at);
  if (end > hello.length) return undefined;
  at += 2;
  while (at + 4 <= end) {
    const type = u16(hello, at);
    const length = u16(hello, at + 2);
    const body = at + 4;
    if (body + length > end) return undefined;
    if (type === ALPN_EXTENSION) return readProtocols(hello.subarray(body, body + length));
    at = body + length;
  }
  return undefined;
}

function readProtocols(extension: Uint8Array): readonly string[] | undefined {
  if (extension.length < 2 || u16(extension, 0) !== extension.length - 2) return undefined;
  const protocols: string[] = [];
  let at = 2;
  while (at < extension.length) {
    const length = extension[at] ?? 0;
    const end = at + 1 + length;
    if (length === 0 || end > extension.length) return undefined;
    protocols.push(Buffer.from(extension.subarray(at + 1, end)).toString('latin1'));
    at = end;
  }
  return protocols;
}

/** Up to `length` bytes of the fragments in a row. */
function joined(fragments: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = fragments;
  if (first !== undefined && first.length >= length) return first.subarray(0, length);
  return Buffer.concat(fragments).subarray(0, length);
}

/** Bytes past the end read as zero; every caller checks the bounds of what it found. */
function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

const ACME_TLS = 'acme-tls/1';
const HANDSHAKE_RECORD = 22;
const TLS_MAJOR = 3;
const CLIENT_HELLO = 1;
const ALPN_EXTENSION = 16;
const RECORD_HEADER = 5;
const HANDSHAKE_HEADER = 4;
const MAX_RECORD = 2 ** 14;

/** With post-quantum key shares a ClientHello has about 2 KiB; a longer one than this is not an ACME server's. */
const MAX_MESSAGE = 2 ** 14;

/** Bounds the work when each record brings a byte. */
const MAX_RECORDS = 16;
