import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errorCode } from '../lib/private-files.ts';
import { type Certificate, inspectPair, type PairFault } from './certificate-pair.ts';

export interface CertificatePaths {
  readonly cert: string;
  readonly key: string;
}

/** What is wrong with a file, and what would be right. Safe to print: it holds no key material. */
export interface FileFault {
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

/** A certificate that can be served, and what an operator should know about it. */
export interface CertificateFromFiles extends Certificate {
  readonly warnings: readonly FileFault[];
}

/** Everything that keeps a pair of files from being served, all at once. */
export class CertificateFileError extends Error {
  override readonly name = 'CertificateFileError';
  readonly faults: readonly FileFault[];

  constructor(faults: readonly FileFault[]) {
    super(faults.map((fault) => `${fault.path}: ${fault.problem}; ${fault.remedy}`).join('\n'));
    this.faults = faults;
  }
}

/**
 * Reads a certificate chain and its key (PEM, one file each or both the same). Throws CertificateFileError where
 * they cannot be served: unreadable, no PEM, expired, not a pair. `now` in milliseconds.
 */
export async function readCertificateFiles(paths: CertificatePaths, now = Date.now()): Promise<CertificateFromFiles> {
  const [cert, key] = await Promise.all([readBounded(paths.cert), readBounded(paths.key)]);
  const unreadable = [cert, key].filter((text) => typeof text !== 'string');
  if (typeof cert !== 'string' || typeof key !== 'string') throw new CertificateFileError(unreadable);
  const findings = inspectPair({ cert, key }, now);
  if (findings.certificate === undefined) throw new CertificateFileError(inFiles(findings.faults, paths));
  return { ...findings.certificate, warnings: inFiles(findings.warnings, paths) };
}

function inFiles(faults: readonly PairFault[], paths: CertificatePaths): readonly FileFault[] {
  return faults.map((fault) => ({ path: paths[fault.where], problem: fault.problem, remedy: fault.remedy }));
}

/** Only regular files up to MAX_BYTES: a path that names a pipe, /dev/zero or a disk image is a fault, not an outage. */
async function readBounded(path: string): Promise<string | FileFault> {
  try {
    // O_NONBLOCK, for opening a pipe that nobody writes to would hold a thread for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      if (facts.isDirectory()) return { path, ...unreadable('EISDIR') };
      if (!facts.isFile()) return { path, problem: 'is not a regular file', remedy: 'give the path of a PEM file' };
      if (facts.size > MAX_BYTES) {
        return {
          path,
          problem: 'is larger than 1 MiB',
          remedy: 'give a PEM file with one certificate chain or one key',
        };
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    return { path, ...unreadable(errorCode(error)) };
  }
}

function unreadable(code: string | undefined): Omit<FileFault, 'path'> {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return { problem: 'does not exist', remedy: 'give the path of a PEM file' };
    case 'EACCES':
    case 'EPERM':
      return { problem: 'may not be read by this user', remedy: 'let the gateway’s user read it, and nobody else' };
    case 'EISDIR':
      return { problem: 'is a directory', remedy: 'give the path of a PEM file' };
    default:
      return { problem: `cannot be read (${code ?? 'unknown error'})`, remedy: 'give the path of a readable PEM file' };
  }
}

const MAX_BYTES = 2 ** 20;
