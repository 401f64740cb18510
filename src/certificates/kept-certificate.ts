import { readIfPresent, replaceFile } from '../lib/private-files.ts';
import { type Certificate, inspectPair } from './certificate-pair.ts';

/** A certificate of our own making or fetching, with the life it was given. */
export interface KeptCertificate extends Certificate {
  readonly notBefore: Date;
}

/** Keeps chain and key in one file of mode 0600, so that a crash can never leave one without the other. */
export async function keepCertificate(
  path: string,
  pem: { readonly cert: string; readonly key: string },
): Promise<void> {
  await replaceFile(path, `${pem.key.trimEnd()}\n${pem.cert.trimEnd()}\n`, 0o600);
}

/** What `keepCertificate` kept, or undefined where there is nothing that can be served at `now` (milliseconds). */
export async function readKeptCertificate(path: string, now: number): Promise<KeptCertificate | undefined> {
  const text = await readIfPresent(path);
  if (text === undefined) return undefined;
  const { certificate, notBefore } = inspectPair({ cert: text, key: text }, now);
  return certificate === undefined || notBefore === undefined ? undefined : { ...certificate, notBefore };
}

/** The moment (milliseconds) when a third of a certificate's life is left: the time to renew it. */
export function renewalDue(certificate: { readonly notBefore: Date; readonly notAfter: Date }): number {
  const start = certificate.notBefore.getTime();
  const end = certificate.notAfter.getTime();
  return end - (end - start) / 3;
}
