import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/**
 * Reads the roots client certificates are verified against. Rejects where the file holds none, or one that cannot be read: Node
 * would pass over it in silence, and the listener would then refuse every client or know fewer roots than were meant.
 */
export async function readClientRoots(listener: string, path: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0)
    throw new Error(
      `listener ${listener}: clientCa ${path} holds no PEM certificate; give the root certificates of your clients`,
    );
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch (error) {
      throw new Error(
        `listener ${listener}: certificate ${index + 1} of clientCa ${path} cannot be read; export it again as PEM`,
        {
          cause: error,
        },
      );
    }
  }
  return text;
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
