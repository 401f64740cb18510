import { z } from 'zod';
import { byteSizeOption } from '../lib/byte-size.ts';
import { durationOption } from '../lib/duration.ts';
import { cidrOption } from '../lib/network-address.ts';
import { exactHostOption, filePathOption, nameOption, serviceUrlOption, socketAddressOption } from './option-types.ts';

const certificate = z.strictObject({
  cert: filePathOption().describe('PEM file with the certificate and its intermediates, leaf first.'),
  key: filePathOption().describe('PEM file with the private key, not encrypted.'),
});

const acme = z.strictObject({
  domains: z.array(exactHostOption()).min(1).describe('Names to get a certificate for.'),
  email: z.email().describe('Where the certificate authority sends expiry notices.'),
  directory: serviceUrlOption()
    .prefault('https://acme-v02.api.letsencrypt.org/directory')
    .describe('Directory URL of the ACME server (RFC 8555).'),
  challenge: z
    .enum(['http-01', 'tls-alpn-01'])
    .default('tls-alpn-01')
    .describe(
      'How ownership is shown: http-01 needs `redirectHttpFrom` on port 80, tls-alpn-01 this listener on port 443.',
    ),
  agreeToTerms: z.literal(true).describe("That you agree to the certificate authority's terms of service."),
  ca: filePathOption()
    .optional()
    .describe("PEM file with the roots the ACME server's own certificate is verified against."),
});

const tls = z.strictObject({
  certificates: z
    .array(certificate)
    .default([])
    .describe('Certificates; the one that names the requested host is used, the first is the default.'),
  acme: acme.optional().describe('Gets and renews certificates from an ACME server such as Let’s Encrypt.'),
  clientCa: filePathOption()
    .optional()
    .describe(
      'PEM file with the roots client certificates are verified against; they are then required, unless `clientCertificates` says otherwise.',
    ),
  clientCertificates: z
    .enum(['required', 'requested'])
    .optional()
    .describe(
      '`requested` asks for a certificate and takes clients without one, and with one that `clientCa` does not verify, which then proves no more than the possession of its key: what OAuth needs for mTLS (RFC 8705). Left out: `required` with `clientCa`, and none are asked for without.',
    ),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('The oldest TLS version spoken.'),
});

const limits = z.strictObject({
  headerBytes: byteSizeOption({ min: 1024, max: 2 ** 20 })
    .prefault('16KiB')
    .describe('Bytes of all request header fields.'),
  headerCount: z.int().min(10).max(2000).default(100).describe('Number of request header fields.'),
  targetBytes: byteSizeOption({ min: 256, max: 2 ** 18 })
    .prefault('8KiB')
    .describe('Bytes of the request target.'),
  headerTimeout: durationOption().prefault('10s').describe('Time for the head of a request to arrive.'),
  idleTimeout: durationOption().prefault('60s').describe('How long a connection may wait for its next request.'),
  bodyIdleTimeout: durationOption().prefault('30s').describe('Longest pause in the arrival of a request body.'),
  writeIdleTimeout: durationOption().prefault('60s').describe('How long a client may take nothing of the reply.'),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe('Connections to this listener at a time, over all workers.'),
  connectionsPerAddress: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(500)
    .describe('Connections of one client address at a time, over all workers; an IPv6 /64 counts as one.'),
  requestsPerConnection: z
    .int()
    .min(1)
    .max(1e9)
    .default(10_000)
    .describe('Requests after which a connection is closed.'),
  http2Streams: z.int().min(1).max(10_000).default(100).describe('Concurrent streams of an HTTP/2 connection.'),
  http2ResetsPerSecond: z
    .int()
    .min(1)
    .max(100_000)
    .default(20)
    .describe('Streams a client may reset a second, averaged; beyond it the connection is closed (CVE-2023-44487).'),
  http2ResetBurst: z.int().min(1).max(100_000).default(100).describe('Streams a client may reset at once.'),
});

/** One listener of the file. */
export const listenerSchema = z.strictObject({
  name: nameOption().describe('Unique name, used by `apis[].listeners`, in logs and in metrics.'),
  exposure: z
    .enum(['public', 'internal'])
    .default('public')
    .describe('Which APIs it carries: internal APIs are never reachable through a public listener.'),
  address: socketAddressOption().describe('IP address and port; port 0 takes a free one.'),
  tls: z
    .union([z.literal('none'), tls])
    .prefault({})
    .describe(
      'TLS settings; left out, a certificate of a local development CA is used. `none` is plain text, on loopback, internal listeners or with --dev only.',
    ),
  redirectHttpFrom: socketAddressOption()
    .optional()
    .describe('Plain HTTP address that redirects GET and HEAD to this listener (308) and refuses other methods.'),
  allow: z.array(cidrOption()).default([]).describe('Client addresses that may connect; empty means all.'),
  deny: z.array(cidrOption()).default([]).describe('Client addresses that may not connect; it goes before `allow`.'),
  trustedProxies: z
    .array(cidrOption())
    .default([])
    .describe('Proxies whose Forwarded and X-Forwarded-For are believed; none by default.'),
  proxyProtocol: z
    .strictObject({
      trusted: z.array(cidrOption()).min(1).describe('Peers that must begin each connection with a PROXY v2 header.'),
    })
    .optional()
    .describe('Takes the client address from the PROXY protocol, version 2.'),
  limits: limits.prefault({}).describe('Bounds on what clients may send and hold.'),
});

export type ListenerConfig = Readonly<z.output<typeof listenerSchema>>;
