import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findTool } from './require-tool.ts';
import { freeLoopbackPort, type ServerProcess, type ServerUser, startServerProcess } from './server-process.ts';
import { until } from './until.ts';

/** A PostgreSQL of a test's own on loopback, with nothing in it. */
export interface PostgresServer {
  /** Of an empty database, with the password in it. */
  readonly url: string;
  readonly password: string;
  readonly port: number;
  /** Makes another empty database and answers its URL, so that tests may share the server. */
  createDatabase(): Promise<string>;
  /** Has the server and all its sessions hang (SIGSTOP): sockets stay open, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Ends it at once (SIGKILL), as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on the same port with what was committed; kills it first where it runs. */
  restart(): Promise<void>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** PEM texts; with them the server speaks TLS, and takes no other connections over TCP. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/**
 * Starts a PostgreSQL server in a temporary directory, without fsync: what it says is committed survives `kill`, though not
 * the end of the machine. Ask `skipUnless('postgres')` first.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sp-postgres-'));
  try {
    const user = await ownerOf(directory);
    const password = randomBytes(12).toString('hex');
    await initialise({ directory, user, password });
    await guard({ directory, user, tls: options.tls });
    return await serve({ directory, user, password });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

interface Cluster {
  readonly directory: string;
  readonly user: ServerUser | undefined;
  readonly password: string;
}

async function serve(cluster: Cluster): Promise<PostgresServer> {
  let port = await freeLoopbackPort();
  let server = await launch(cluster, port).catch(async () => {
    port = await freeLoopbackPort(); // somebody else took the first one meanwhile
    return await launch(cluster, port);
  });
  const urlOf = (database: string): string =>
    `postgres://sallyport:${cluster.password}@127.0.0.1:${port}/${database}?sslmode=disable`;
  let databases = 0;
  const signal = (name: NodeJS.Signals): void => {
    // The server first: once it stands still it starts no more sessions. Each session is in a process group of its own.
    signalIfThere(server.pid, name);
    for (const pid of childrenOf(server.pid)) signalIfThere(pid, name);
  };
  const kill = async (): Promise<void> => {
    if (server.hasEnded()) return;
    const sessions = childrenOf(server.pid);
    await server.end('SIGKILL');
    for (const pid of sessions) signalIfThere(pid, 'SIGKILL');
    await until('the sessions to end', () => sessions.every((pid) => !isRunning(pid)));
  };
  return {
    url: urlOf('postgres'),
    password: cluster.password,
    port,
    async createDatabase() {
      databases += 1;
      const name = `test_${databases}`;
      await inSocket(cluster.directory, port, cluster.password, `create database ${name}`);
      return urlOf(name);
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    kill,
    async restart() {
      await kill();
      server = await launch(cluster, port);
    },
    async stop() {
      if (!server.hasEnded()) {
        signal('SIGCONT');
        await server.end('SIGINT'); // fast shutdown: sessions are ended, not waited for
      }
      await rm(cluster.directory, { recursive: true, force: true });
    },
  };
}

/** Makes the files of a cluster; the password is read from a file, since arguments are seen by all users. */
async function initialise(cluster: Cluster): Promise<void> {
  const passwordFile = join(cluster.directory, 'password');
  await writeFile(passwordFile, cluster.password, { mode: 0o600 });
  await give(passwordFile, cluster.user);
  const args = ['--pgdata', dataOf(cluster.directory), '--username', 'sallyport', '--pwfile', passwordFile];
  const speed = ['--no-sync', '--no-instructions', '--locale', 'C', '--encoding', 'UTF8', '--auth', 'scram-sha-256'];
  const settings = { cwd: cluster.directory, env: environment(), ...cluster.user };
  await promisify(execFile)(join(programs(), 'initdb'), [...args, ...speed], settings);
  await rm(passwordFile);
}

/** Lays the certificate down and has the server refuse plain connections over TCP. */
async function guard(cluster: {
  readonly directory: string;
  readonly user: ServerUser | undefined;
  readonly tls: PostgresOptions['tls'];
}): Promise<void> {
  if (cluster.tls === undefined) return;
  const data = dataOf(cluster.directory);
  const files = { 'server.crt': cluster.tls.cert, 'server.key': cluster.tls.key };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await give(join(data, name), cluster.user);
  }
  await writeFile(join(data, 'postgresql.auto.conf'), "ssl = on\nssl_ca_file = ''\n");
  await writeFile(
    join(data, 'pg_hba.conf'),
    'local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n',
  );
}

async function launch(cluster: Cluster, port: number): Promise<ServerProcess> {
  const { directory, user, password } = cluster;
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: directory,
    fsync: 'off',
    full_page_writes: 'off',
    max_connections: '60',
    shared_buffers: '64MB',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = startServerProcess({
    command: join(programs(), 'postgres'),
    args: ['-D', dataOf(directory), ...args],
    env: environment(),
    user,
    cwd: directory,
  });
  try {
    await until('PostgreSQL to answer', async () => {
      if (server.hasEnded()) throw new Error(`PostgreSQL ended:\n${server.printed()}`);
      return await inSocket(directory, port, password, 'select 1').then(
        () => true,
        () => false,
      );
    });
    return server;
  } catch (error) {
    await server.end('SIGKILL');
    throw error;
  }
}

/** Over the Unix socket, which takes no TLS. */
async function inSocket(directory: string, port: number, password: string, statement: string): Promise<void> {
  const client = new pg.Client({ host: directory, port, user: 'sallyport', password, database: 'postgres' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** The server refuses to run as root: then it runs as Debian's `postgres`, or as nobody, and the directory is theirs. */
async function ownerOf(directory: string): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  const entry = ['postgres:', 'nobody:'].map((name) => lines.find((line) => line.startsWith(name))).find(Boolean);
  const [, , uid, gid] = (entry ?? 'nobody:x:65534:65534').split(':');
  const user = { uid: Number(uid), gid: Number(gid) };
  await chmod(directory, 0o700);
  await give(directory, user);
  return user;
}

async function give(path: string, user: ServerUser | undefined): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

function childrenOf(parent: number): readonly number[] {
  if (!existsSync('/proc/self/stat')) throw new Error('pausing and killing PostgreSQL needs /proc, which Linux has');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  return statusOf(pid)?.parent;
}

/** A process that has ended but was not yet collected by its parent runs no more. */
function isRunning(pid: number): boolean {
  const status = statusOf(pid);
  return status !== undefined && status.state !== 'Z' && status.state !== 'X';
}

/** From proc(5): the name stands in parentheses and may hold anything, state and parent follow the last one. */
function statusOf(pid: number): { readonly state: string; readonly parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

function signalIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // A session that ended since it was seen.
  }
}

/** initdb stands beside the server itself, to which PATH may only have a link. */
function programs(): string {
  const server = findTool('postgres');
  if (server === undefined) throw new Error('PostgreSQL is not installed: ask skipUnless first');
  return dirname(realpathSync(server));
}

function dataOf(directory: string): string {
  return join(directory, 'data');
}

function environment(): { readonly [name: string]: string } {
  return { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' };
}
