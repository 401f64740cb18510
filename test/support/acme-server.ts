import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './gateway.ts';
import { until } from './until.ts';

export interface AcmeServer {
  readonly directoryUrl: string;
  /** PEM file of the root that signs what it issues, and its own certificate. */
  readonly rootFile: string;
  readonly root: string;
  stop(): Promise<void>;
}

/** Debian's caddy as an ACME server (RFC 8555) on loopback, in a home of its own. */
export async function startAcmeServer(): Promise<AcmeServer> {
  const home = await mkdtemp(join(tmpdir(), 'sp-caddy-'));
  const port = await freePort();
  const child = spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', '-'], {
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_DATA_HOME: join(home, 'data'),
      XDG_CONFIG_HOME: join(home, 'config'),
    },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stdin.end(`{
    admin off
    skip_install_trust
    auto_https disable_redirects
    storage file_system ${join(home, 'storage')}
  }
  https://localhost:${port} {
    bind 127.0.0.1
    tls internal
    acme_server
  }`);
  const directoryUrl = `https://localhost:${port}/acme/local/directory`;
  const rootFile = join(home, 'storage/pki/authorities/local/root.crt');
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL'); // it keeps nothing we want
      await once(child, 'exit');
    }
    await rm(home, { recursive: true, force: true });
  };
  try {
    const root = await until('caddy to answer', async () => {
      if (child.exitCode !== null) throw new Error(`caddy ended with ${child.exitCode}:\n${printed.slice(-2000)}`);
      const text = await readFile(rootFile, 'utf8').catch(() => undefined);
      return text !== undefined && (await answers(directoryUrl, text)) ? text : undefined;
    });
    return { directoryUrl, rootFile, root, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function answers(url: string, root: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { ca: root, agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}
