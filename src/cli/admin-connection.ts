import { readFile } from 'node:fs/promises';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { renderFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { isLoopback } from '../lib/network-address.ts';
import { NotRunning } from '../process/control-socket.ts';
import type { ProgramFacts } from './output.ts';

/** How a command finds the gateway: the one of a configuration on this machine, or one elsewhere. */
export interface ConnectionOptions {
  readonly config: string;
  readonly dev: boolean;
  readonly dataDir?: string;
  readonly url?: string;
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

/** Sends one request; resolves with the head of the answer. Rejects with NotRunning where nobody listens. */
export type AdminConnection = (message: AdminMessage) => Promise<IncomingMessage>;

export interface AdminMessage {
  readonly method: string;
  /** Below the base of the admin API. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Readable | undefined;
}

/** The options do not say where to go. */
export class NoConnection extends Error {
  override readonly name = 'NoConnection';
}

/** Where the admin API is, on the control socket as on a listener. */
const BASE = '/admin/v1';

/** The file that says where the gateway is has faults. */
export class ConfigFaulty extends Error {
  override readonly name = 'ConfigFaulty';
}

/** Holds the key of the admin API; a command line can be read by every user of a machine. */
const KEY_VARIABLE = 'SALLYPORT_ADMIN_KEY';

export async function connectAdmin(options: ConnectionOptions, facts: ProgramFacts): Promise<AdminConnection> {
  if (options.url !== undefined) return await remote(options.url, options, facts);
  const socketPath = join(await dataDirOf(options, facts), 'control.sock');
  return (message) => send(requestHttp, { socketPath }, message, `no gateway is running on ${socketPath}`);
}

/** The socket of the same machine belongs to the gateway's user alone, so it asks for no key. */
async function dataDirOf(options: ConnectionOptions, facts: ProgramFacts): Promise<string> {
  if (options.dataDir !== undefined) return resolve(options.dataDir);
  const loaded = await loadConfig(resolve(options.config), { env: facts.env, dev: options.dev });
  if (loaded.ok) return loaded.config.dataDir;
  throw new ConfigFaulty(
    `${renderFaults(options.config, loaded.faults)}The file says where the gateway is. Without it: --data-dir <directory> or --url <url>.`,
  );
}

async function remote(text: string, options: ConnectionOptions, facts: ProgramFacts): Promise<AdminConnection> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol))
    throw new NoConnection(`--url: ${JSON.stringify(text)} is no URL; write one such as https://gateway.internal:9443`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:' && !isLoopback(host))
    throw new NoConnection('--url: over plain http everybody on the way could read the key; write https://');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new NoConnection('--url: leave out credentials, query and fragment');
  const key = facts.env[KEY_VARIABLE];
  if (key === undefined && options.clientCert === undefined)
    throw new NoConnection(`set ${KEY_VARIABLE} to a key of the admin API, or give --client-cert and --client-key`);
  const [ca, cert, clientKey] = await Promise.all(
    [options.ca, options.clientCert, options.clientKey].map((file) =>
      file === undefined ? undefined : readFile(file),
    ),
  );
  const target: RequestOptions & { ca?: Buffer; cert?: Buffer; key?: Buffer } = {
    host,
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(clientKey === undefined ? {} : { key: clientKey }),
  };
  const prefix = url.pathname.replace(/\/+$/, '');
  const credentials: Record<string, string> = key === undefined ? {} : { 'X-API-Key': key.trim() };
  return (message) =>
    send(
      url.protocol === 'https:' ? requestHttps : requestHttp,
      target,
      { ...message, headers: { ...message.headers, ...credentials } },
      `no gateway answers on ${url.origin}`,
      prefix,
    );
}

function send(
  request: typeof requestHttp | typeof requestHttps,
  target: RequestOptions,
  { method, path, headers, body }: AdminMessage,
  absent: string,
  prefix = '',
): Promise<IncomingMessage> {
  return new Promise((done, reject) => {
    const call = request({ ...target, method, path: `${prefix}${BASE}${path}`, headers, agent: false }, done);
    call.on('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? new NotRunning(absent) : error);
    });
    call.setTimeout(IDLE_MS, () => call.destroy(new Error(`the gateway was silent for ${IDLE_MS / 1000} s`)));
    if (typeof body === 'object') {
      body.on('error', (error) => call.destroy(error));
      body.pipe(call);
    } else call.end(body);
  });
}

/** Long work tells of its progress, so silence means that something hangs. */
const IDLE_MS = 60_000;
