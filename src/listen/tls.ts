import { constants, hkdfSync } from 'node:crypto';
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';
import { chooseCertificate, indexCertificates } from '../certificates/sni.ts';
import type { TlsFacts } from '../exchange.ts';
import type { Connection } from './connection.ts';
import type { TlsMaterial } from './listener-options.ts';

/** Speaks TLS on connections that are given to it, with one state of the TLS settings; a change makes another. */
export interface TlsFront {
  take(connection: Connection): void;
  /** Answers a tls-alpn-01 validation (RFC 8737); undefined while no challenge is under way. */
  readonly takeChallenge: ((connection: Connection) => void) | undefined;
}

export interface TlsFrontOptions {
  readonly listener: string;
  /** Milliseconds. */
  readonly handshakeTimeout: number;
  /** Called when a handshake is complete and what it established is noted on the connection. */
  readonly onSecure: (connection: Connection, socket: TLSSocket) => void;
}

/** Throws where a certificate, key or CA cannot be used, and says which. */
export function createTlsFront(material: TlsMaterial, options: TlsFrontOptions): TlsFront {
  const shared = sharedSettings(material, options.listener);
  const contexts = material.certificates.map(({ cert, key, names }) => {
    try {
      return createSecureContext({ ...shared, cert, key });
    } catch (error) {
      throw new Error(`listener ${options.listener}: the certificate for ${names.join(', ')} cannot be used`, {
        cause: error,
      });
    }
  });
  const [first] = material.certificates;
  if (first === undefined) throw new Error(`listener ${options.listener}: TLS without a certificate`);
  const index = indexCertificates(material.certificates);

  const server = createServer({
    ...shared,
    cert: first.cert,
    key: first.key,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: options.handshakeTimeout,
    requestCert: material.clientCertificates !== 'none',
    rejectUnauthorized: material.clientCertificates === 'required',
    // chooseCertificate never throws and always names a certificate; an exception in here would end the process (CVE-2026-21637).
    SNICallback: (servername, done) => done(null, contexts[chooseCertificate(servername, index)]),
  });
  const take = feed(server, (connection, socket) => {
    // Node has verified the certificate; what it might overlook on a resumed session is looked at again (attack 26).
    const refused = !socket.authorized || socket.getPeerX509Certificate() === undefined;
    if (material.clientCertificates === 'required' && refused) {
      socket.destroy();
      return;
    }
    connection.tls = factsOf(socket, material.clientCa !== undefined);
    options.onSecure(connection, socket);
  });
  return { take, takeChallenge: challengeFront(material, options) };
}

function sharedSettings(material: TlsMaterial, listener: string) {
  const scope = JSON.stringify([listener, material.clientCa ?? null, material.clientCertificates, material.minVersion]);
  return {
    ...(material.clientCa === undefined ? {} : { ca: material.clientCa }),
    minVersion: material.minVersion,
    ciphers: CIPHERS,
    ecdhCurve: GROUPS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    // A session is bound to what was asked when it was made: a ticket of a listener that asks for no client certificate, or
    // of another client CA, opens nothing here. The keys differ too, so that it cannot even be read.
    sessionIdContext: Buffer.from(hkdfSync('sha256', scope, '', 'session id context', 16)).toString('hex'),
    sessionTimeout: material.clientCertificates === 'none' ? 3600 : 300, // seconds
    ...(material.ticketKeys === undefined
      ? {}
      : {
          ticketKeys: Buffer.from(
            hkdfSync('sha256', material.ticketKeys, '', `session tickets ${scope}`.slice(0, 1024), 48),
          ),
        }),
  };
}

/** Gives a TLS server connections, and finds each again when its handshake is complete. */
function feed(
  server: Server,
  onSecure: (connection: Connection, socket: TLSSocket) => void,
): (connection: Connection) => void {
  const pending = new Map<string, Connection>();
  server.on('secureConnection', (socket) => {
    socket.on('error', ignore); // 'close' follows
    const connection = pending.get(endpoints(socket));
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    pending.delete(endpoints(socket));
    connection.deadline = 0;
    onSecure(connection, socket);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return function take(connection) {
    const key = endpoints(connection.socket);
    pending.set(key, connection);
    connection.socket.once('close', () => {
      if (pending.get(key) === connection) pending.delete(key);
    });
    server.emit('connection', connection.socket);
  };
}

/** Tells the connections of one moment apart. */
function endpoints(socket: {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

/** Without roots of its own a listener verifies nobody: that a public authority knows the name of a client says nothing here. */
function factsOf(socket: TLSSocket, hasClientCa: boolean): TlsFacts {
  const certificate = socket.getPeerX509Certificate();
  // `false` where the client sent no SNI; the types know a string only.
  const servername: unknown = (socket as { readonly servername?: unknown }).servername;
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    servername: typeof servername === 'string' && servername !== '' ? servername : undefined,
    clientCertificate:
      certificate === undefined
        ? undefined
        : {
            fingerprint256: certificate.fingerprint256,
            subject: certificate.subject,
            verified: hasClientCa && socket.authorized,
            raw: certificate.raw,
          },
  };
}

/** Serves the challenge certificates and nothing else: the handshake is the answer, and the connection ends with it. */
function challengeFront(material: TlsMaterial, options: TlsFrontOptions): TlsFront['takeChallenge'] {
  const contexts = new Map<string, SecureContext>();
  for (const { domain, cert, key } of material.acmeAlpn)
    contexts.set(domain.toLowerCase(), createSecureContext({ cert, key }));
  const [first] = material.acmeAlpn;
  if (first === undefined) return undefined;
  const server = createServer({
    cert: first.cert,
    key: first.key,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['acme-tls/1'],
    handshakeTimeout: options.handshakeTimeout,
    SNICallback: (servername, done) => {
      const context = contexts.get(servername.toLowerCase());
      if (context === undefined) done(new Error('no challenge is under way for this name'));
      else done(null, context);
    },
  });
  return feed(server, (_connection, socket) => {
    socket.end();
    socket.resume();
  });
}

function ignore(): void {}

/** Forward secrecy and authenticated encryption only: Mozilla's intermediate profile without DHE. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/**
 * The hybrid key exchange withstands a quantum computer that reads recorded traffic later. The slash makes it preferred even
 * where the client has sent no share for it, at the cost of a round trip (OpenSSL 3.5, SSL_CONF_cmd, groups).
 */
const GROUPS = 'X25519MLKEM768/X25519:P-256:P-384';
