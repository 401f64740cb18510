// @peculiar/x509 2 needs the Reflect metadata API to be there when it loads; acme-client brings and installs it.
import 'acme-client';
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import * as x509 from '@peculiar/x509';

/** The certificate of the TLS handshake as the gateway passes it on (RFC 9440); undefined where there was none, or the field is no certificate. */
export function clientCertificateOf(req: IncomingMessage): X509Certificate | undefined {
  const field = req.headers['client-cert'];
  if (typeof field !== 'string') return undefined;
  const bytes = /^:([A-Za-z0-9+/]{1,20000}={0,2}):$/.exec(field)?.[1];
  if (bytes === undefined) return undefined;
  try {
    return new X509Certificate(Buffer.from(bytes, 'base64'));
  } catch {
    return undefined;
  }
}

/** Whether the gateway verified the chain of that certificate: `X-Client-Cert-Verified: ?1`, a boolean of RFC 9651. Anything else is no. */
export function isVerified(req: IncomingMessage): boolean {
  return req.headers['x-client-cert-verified'] === '?1';
}

/** Compares a certificate with what a client registered for `tls_client_auth` (RFC 8705 §2.1.2). */
export function matchesSubject(certificate: X509Certificate, property: string, expected: string): boolean {
  const parsed = new x509.X509Certificate(certificate.raw);
  if (property === 'tls_client_auth_subject_dn') return sameName(parsed.subject, expected);
  const type = sanTypes[property];
  if (type === undefined) return false;
  const names = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  const wanted = comparable(property, expected);
  return names.some((name) => name.type === type && comparable(property, name.value) === wanted);
}

const sanTypes: Readonly<Record<string, string>> = {
  tls_client_auth_san_dns: 'dns',
  tls_client_auth_san_uri: 'url',
  tls_client_auth_san_ip: 'ip',
  tls_client_auth_san_email: 'email',
};

/** Names of hosts have no case (RFC 4343); the rest is compared as it stands. */
function comparable(property: string, value: string): string {
  return property === 'tls_client_auth_san_dns' ? value.toLowerCase() : value;
}

/** RFC 4514 writes the most specific name first, the certificate holds it last. */
function sameName(subject: string, expected: string): boolean {
  try {
    const actual = new x509.Name(subject).toJSON();
    const wanted = new x509.Name(expected).toJSON();
    return wanted.length > 0 && JSON.stringify(actual) === JSON.stringify(wanted.toReversed());
  } catch {
    return false;
  }
}
