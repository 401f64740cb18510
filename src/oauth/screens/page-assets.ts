import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { passkeyScript } from './passkey-script.ts';

/** A file of ours. Its name holds the hash of its content, so that it may be kept for ever. */
export interface PageAsset {
  readonly name: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** The scripts of pages with a passkey, in the order they are needed. They come from this machine, never from elsewhere. */
export function loadPageAssets(): readonly PageAsset[] {
  return [script('webauthn', readFileSync(browserBundle())), script('passkeys', Buffer.from(passkeyScript))];
}

/** The bundle for browsers lies beside the modules of the package, which exports the modules only. */
function browserBundle(): string {
  const entry = fileURLToPath(import.meta.resolve('@simplewebauthn/browser'));
  return join(dirname(entry), '..', 'dist', 'bundle', 'index.umd.min.js');
}

function script(label: string, body: Buffer): PageAsset {
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
  return { name: `${label}-${hash}.js`, contentType: 'text/javascript; charset=utf-8', body };
}
