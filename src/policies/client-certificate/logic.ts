import type { ClientCertificate, Principal } from '../../exchange.ts';

/** Who may come in by certificate; undefined sets name nobody in particular. */
export interface CertificateRules {
  readonly subjects: ReadonlySet<string> | undefined;
  /** Lower-case hexadecimal digits. */
  readonly fingerprints: ReadonlySet<string> | undefined;
}

/** One of either list will do, where there are lists. */
export function isListed(certificate: ClientCertificate, { subjects, fingerprints }: CertificateRules): boolean {
  if (subjects === undefined && fingerprints === undefined) return true;
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  return subjects?.has(subjectOf(certificate)) === true || fingerprints?.has(fingerprint) === true;
}

/** The subject on one line: `C=DE, O=Example, CN=partner`. */
function subjectOf({ subject }: ClientCertificate): string {
  return subject.split('\n').join(', ');
}

export function principalOf(certificate: ClientCertificate): Principal {
  const subject = subjectOf(certificate);
  return {
    id: `certificate:${subject}`,
    kind: 'certificate',
    method: 'clientCertificate',
    issuer: undefined,
    subject,
    clientId: undefined,
    consumer: undefined,
    credentialId: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    scopes: [],
    claims: {},
  };
}
