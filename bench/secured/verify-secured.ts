import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '../instance.ts';
import { ALLOWED_ORIGIN, type SecuredPeer } from '../peers/secured.ts';
import { type Answer, ask } from '../probe.ts';
import { credentialFields } from './credential-fields.ts';
import type { SecuredGround } from './secured-job.ts';

/** How long a line of the access log may take. */
const LOG_PATIENCE_MS = 3_000;

/** Throws where a peer lets a bad credential in, or leaves out another part of the secured job: what it costs then means nothing. */
export async function verifySecured(
  { port, peer, running }: Instance & { readonly peer: SecuredPeer },
  ground: SecuredGround,
): Promise<void> {
  const request = async (headers: Readonly<Record<string, string>>): Promise<Answer> =>
    await ask({ port, path: MARKED_PATH, ca: undefined, headers });
  const good = peer.credential === 'token' ? (ground.tokens[0] ?? '') : ground.apiKey;
  const answer = await request({ ...credentialFields(peer.credential, good), Origin: ALLOWED_ORIGIN });
  if (answer.status !== 200) throw new Error(`answers ${answer.status} to a good ${peer.credential}, and not 200`);
  requireFields(answer);
  await requireLogLine(join(running.directory, 'stdout.log'));

  const none = await request({});
  if (none.status !== 401) throw new Error(`answers ${none.status} to no credential, and not 401`);
  const bad = peer.credential === 'token' ? ground.badTokens : ground.badKeys;
  for (const [what, credential] of Object.entries(bad)) {
    const { status } = await request(credentialFields(peer.credential, credential));
    if (status !== 401) throw new Error(`answers ${status} to a ${peer.credential} ${what}, and not 401`);
  }
}

/** So that its line in the log is found. */
const MARKED_PATH = '/look-for-this-in-the-log';

/** Those that every peer of the job sets; each of the Node stacks sets more of its own. */
function requireFields({ headers }: Answer): void {
  const expected = {
    'x-content-type-options': /^nosniff$/,
    'x-frame-options': /^(DENY|SAMEORIGIN)$/,
    'referrer-policy': /^no-referrer$/,
    'cross-origin-resource-policy': /^same-origin$/,
    'content-security-policy': /frame-ancestors/,
    'access-control-allow-origin': new RegExp(`^${ALLOWED_ORIGIN}$`),
  };
  for (const [name, pattern] of Object.entries(expected)) {
    const value = String(headers[name] ?? '');
    if (!pattern.test(value)) throw new Error(`answers with ${JSON.stringify(value)} as ${name}`);
  }
}

async function requireLogLine(file: string): Promise<void> {
  const deadline = performance.now() + LOG_PATIENCE_MS;
  while (performance.now() < deadline) {
    if ((await readFile(file, 'utf8')).includes(MARKED_PATH)) return;
    await sleep(50);
  }
  throw new Error('writes no line of an access log for a request');
}
