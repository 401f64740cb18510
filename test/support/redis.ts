import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findTool } from './require-tool.ts';
import { freeLoopbackPort, type ServerProcess, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

/** A Redis or Valkey of a test's own on loopback, with nothing in it. */
export interface RedisServer {
  /** With the password in it. */
  readonly url: string;
  readonly password: string;
  readonly port: number;
  /** Has it hang (SIGSTOP): sockets stay open, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Ends it at once (SIGKILL), as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty unless it keeps its data; kills it first where it runs. */
  restart(): Promise<void>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** PEM texts; with them the server speaks TLS alone. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Whether a restart finds what was there: an append-only file, written before each answer. */
  readonly keepsData?: boolean | undefined;
  /** Further lines of its configuration. */
  readonly settings?: readonly string[] | undefined;
}

/** Starts a server in a temporary directory. Ask `skipUnless('redis-server')` first. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  return await startNode(options, false);
}

/** Starts a cluster whose nodes share the slots among them; `url` is that of its first node. */
export async function startRedisCluster(size = 3): Promise<{
  readonly url: string;
  readonly nodes: readonly RedisServer[];
  stop(): Promise<void>;
}> {
  const nodes: RedisServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(async (node) => await node.stop()));
  };
  try {
    const password = randomBytes(12).toString('hex');
    for (let index = 0; index < size; index += 1) nodes.push(await startNode({}, true, password));
    await joinNodes(nodes);
    return { url: nodes[0]?.url ?? '', nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startNode(
  options: RedisOptions,
  inCluster: boolean,
  password = randomBytes(12).toString('hex'),
): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sp-redis-'));
  try {
    const [port, busPort] = [await freeLoopbackPort(), await freeLoopbackPort()];
    await writeFile(
      join(directory, 'server.conf'),
      await configuration({ directory, port, busPort, password, inCluster, options }),
      { mode: 0o600 },
    );
    let server = await launch(directory, { port, password, tls: options.tls !== undefined });
    const kill = async (): Promise<void> => await server.end('SIGKILL');
    return {
      url: `${options.tls === undefined ? 'redis' : 'rediss'}://:${password}@127.0.0.1:${port}`,
      password,
      port,
      pause: () => void process.kill(server.pid, 'SIGSTOP'),
      resume: () => void process.kill(server.pid, 'SIGCONT'),
      kill,
      async restart() {
        await kill();
        server = await launch(directory, { port, password, tls: options.tls !== undefined });
      },
      async stop() {
        await kill();
        await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** In a file, since the password would be seen among the arguments. */
async function configuration(node: {
  readonly directory: string;
  readonly port: number;
  readonly busPort: number;
  readonly password: string;
  readonly inCluster: boolean;
  readonly options: RedisOptions;
}): Promise<string> {
  const { directory, options, port } = node;
  const lines = ['bind 127.0.0.1', `dir ${directory}`, 'save ""', `requirepass ${node.password}`];
  lines.push(options.keepsData === true ? 'appendonly yes\nappendfsync always' : 'appendonly no');
  if (node.inCluster) {
    lines.push(`port ${port}`, 'cluster-enabled yes', `cluster-port ${node.busPort}`, 'cluster-node-timeout 2000');
    lines.push(`masterauth ${node.password}`);
  } else if (options.tls === undefined) {
    lines.push(`port ${port}`);
  } else {
    const [cert, key] = [join(directory, 'server.crt'), join(directory, 'server.key')];
    await writeFile(cert, options.tls.cert);
    await writeFile(key, options.tls.key, { mode: 0o600 });
    lines.push('port 0', `tls-port ${port}`, `tls-cert-file ${cert}`, `tls-key-file ${key}`, 'tls-auth-clients no');
    lines.push(`tls-ca-cert-file ${cert}`);
  }
  return `${[...lines, ...(options.settings ?? [])].join('\n')}\n`;
}

interface NodeAddress {
  readonly port: number;
  readonly password: string;
  readonly tls: boolean;
}

async function launch(directory: string, address: NodeAddress): Promise<ServerProcess> {
  const command = findTool('redis-server');
  if (command === undefined) throw new Error('Neither Redis nor Valkey is installed: ask skipUnless first');
  const args = [join(directory, 'server.conf')];
  const server = startServerProcess({ command, args, env: {}, user: undefined, cwd: directory });
  try {
    await until('the server to answer', async () => {
      if (server.hasEnded()) throw new Error(`${command} ended:\n${server.printed()}`);
      return (await ask(address, ['PING']).catch(() => undefined)) === 'PONG';
    });
    return server;
  } catch (error) {
    await server.end('SIGKILL');
    throw error;
  }
}

/** Shares all slots among the nodes, makes them known to each other and waits until all of them agree. */
async function joinNodes(nodes: readonly RedisServer[]): Promise<void> {
  const [first] = nodes;
  if (first === undefined) throw new Error('a cluster has one node at least');
  for (const [index, node] of nodes.entries()) {
    const from = Math.floor((SLOTS * index) / nodes.length);
    const to = Math.floor((SLOTS * (index + 1)) / nodes.length) - 1;
    await ask(plain(node), ['CLUSTER', 'ADDSLOTSRANGE', String(from), String(to)]);
  }
  for (const node of nodes.slice(1)) {
    const [, bus] = String(await ask(plain(node), ['CONFIG', 'GET', 'cluster-port'])).split(',');
    await ask(plain(first), ['CLUSTER', 'MEET', '127.0.0.1', String(node.port), bus ?? '']);
  }
  for (const node of nodes) {
    await until('the cluster to agree', async () => {
      const info = String(await ask(plain(node), ['CLUSTER', 'INFO']));
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`);
    });
  }
}

function plain(node: RedisServer): NodeAddress {
  return { port: node.port, password: node.password, tls: false };
}

/** One command on a connection of its own. */
async function ask(address: NodeAddress, command: readonly string[]): Promise<unknown> {
  const client = new Redis({
    host: '127.0.0.1',
    port: address.port,
    password: address.password,
    lazyConnect: true,
    retryStrategy: () => null,
    // The tests' own certificate is not what is tested here.
    ...(address.tls ? { tls: { rejectUnauthorized: false } } : {}),
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.call(command[0] ?? '', ...command.slice(1));
  } finally {
    client.disconnect();
  }
}

const SLOTS = 16_384;
