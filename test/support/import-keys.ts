import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createAdminApp } from '../../src/admin/admin-app.ts';
import type { Records } from '../../src/stores/stores.ts';

export interface KeyImport {
  /** Requests of keys without line ends, in JSON; each names its consumer by `consumerId`. */
  readonly lines: Iterable<string>;
  readonly by: { readonly actor: string; readonly source: 'admin' };
  readonly onFault: (fault: { readonly line: number; readonly message: string }) => void;
  /** Called after each part is on disk. */
  readonly onProgress?: (report: { readonly imported: number }) => void;
}

/** Imports keys as `sallyport keys import` does: through the admin API, on a server of its own over these records. */
export async function importKeys(records: Records, job: KeyImport): Promise<{ readonly imported: number }> {
  const app = createAdminApp({
    records,
    now: Date.now,
    apiNames: () => [],
    issuer: () => undefined,
    rotateSigningKeys: async () => [],
    status: () => ({}),
    reportFault(error) {
      throw error;
    },
  });
  const caller = { actor: job.by.actor, address: undefined, requestId: undefined, scopes: 'all' } as const;
  const server = createServer({ requestTimeout: 0 }, (incoming, response) => app.handle(incoming, response, caller));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const call = request({
    port: address.port,
    method: 'POST',
    path: '/admin/v1/keys/import',
    headers: { 'Content-Type': 'application/jsonl' },
    agent: false,
  });
  try {
    const [imported] = await Promise.all([readAnswer(call, job), pipeline(Readable.from(chunks(job.lines)), call)]);
    return { imported };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function readAnswer(call: ReturnType<typeof request>, { onFault, onProgress }: KeyImport): Promise<number> {
  const [answer] = await once(call, 'response');
  let imported: number | undefined;
  for await (const line of createInterface({ input: answer })) {
    const told = JSON.parse(line);
    for (const { message } of told.errors ?? []) onFault({ line: told.line, message });
    if (told.progress !== undefined) onProgress?.({ imported: told.progress.created });
    if (told.done !== undefined) imported = told.done.created;
  }
  if (imported === undefined) throw new Error('the import broke off');
  return imported;
}

/** Lines by the thousand: one write a line would be most of the work. The admin API calls the consumer by its own word. */
function* chunks(lines: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const line of lines) {
    chunk += `${line.replace('"consumerId":', '"consumer":')}\n`;
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}

const CHUNK = 64 * 1024;
