import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startLoginExample } from '../login/app.ts';
import { startDemoApi } from './api.ts';
import { variable } from './environment.ts';
import { DEMO_USER, type DemoSecrets, demoSecrets } from './secrets.ts';

const root = join(import.meta.dirname, '../..');
const configPath = join(import.meta.dirname, 'sallyport.yaml');
const dataDir = resolve(import.meta.dirname, variable('DEMO_DATA_DIR') ?? '.sallyport');
const caFile = join(dataDir, 'dev-ca/ca.pem');

/** The ports of sallyport.yaml, with the variables that move them. */
const ports = [
  { use: 'HTTPS', variable: 'DEMO_PORT', port: portFrom('DEMO_PORT', 8443) },
  { use: 'HTTP, redirected to HTTPS', variable: 'DEMO_REDIRECT_PORT', port: portFrom('DEMO_REDIRECT_PORT', 8080) },
  { use: 'metrics and health', variable: 'DEMO_INTERNAL_PORT', port: portFrom('DEMO_INTERNAL_PORT', 9443) },
] as const;

/** Runs the demo API, the app and the gateway before them until Ctrl-C, and says what to try. Resolves with the exit code. */
async function main(): Promise<number> {
  const taken = await takenPorts();
  if (taken.length > 0) {
    for (const { port, use, variable } of taken) {
      console.error(
        `Port ${port} (${use}) is taken. Choose another: ${variable}=${port < 50_000 ? port + 10_000 : port - 10_000} npm start`,
      );
    }
    return 1;
  }
  const secrets = await demoSecrets();
  const api = await startDemoApi({ port: 0 });
  const notes = await startLoginExample({ port: 0 });
  const gateway = startGateway({ DEMO_UPSTREAM: api.url, DEMO_NOTES: notes.url });
  const over = new AbortController();
  const ended = once(gateway, 'exit').then(() => over.abort());
  const asked = stopOnSignal(gateway, over);
  try {
    if ((await readyUnless(over.signal)) && (await makeAccount(secrets))) console.log(welcome(secrets));
    await ended;
    if (!asked.toStop) console.error('The gateway has ended by itself; what it printed above says why.');
    return gateway.exitCode ?? 1;
  } finally {
    await Promise.all([api.close(), notes.close()]);
  }
}

/** Makes the account of the demo's person, as an administrator would; false where that fails, and the command says why. */
async function makeAccount({ password, passwordMadeAt }: DemoSecrets): Promise<boolean> {
  const present = await administer(['users', 'show', DEMO_USER, '--json']);
  const { updatedAt }: { readonly updatedAt?: string } = present.code === 0 ? JSON.parse(present.output) : {};
  // One of an older demo that nobody has changed since the password was made has another one.
  if (updatedAt !== undefined && Date.parse(updatedAt) >= passwordMadeAt) return true;
  const change =
    present.code === 0
      ? ['set-password', DEMO_USER]
      : ['create', DEMO_USER, '--claims', JSON.stringify({ name: 'Ada Lovelace' })];
  const made = await administer(['users', ...change, '--password-stdin'], `${password}\n`);
  if (made.code !== 0) console.error(made.errors);
  return made.code === 0;
}

/** Runs a command of Sallyport on the demo's gateway. */
async function administer(args: readonly string[], input?: string) {
  const command = spawn(process.execPath, [join(root, 'src/main.ts'), ...args, '--data-dir', dataDir]);
  const told = { output: '', errors: '' };
  command.stdout.setEncoding('utf8').on('data', (text: string) => {
    told.output += text;
  });
  command.stderr.setEncoding('utf8').on('data', (text: string) => {
    told.errors += text;
  });
  command.stdin.on('error', () => {}); // one that ends early reads nothing; its exit code says so
  command.stdin.end(input);
  await once(command, 'close');
  return { ...told, code: command.exitCode };
}

function startGateway(env: NodeJS.ProcessEnv): ChildProcess {
  const gateway = spawn(process.execPath, [join(root, 'src/main.ts'), 'start', '--config', configPath], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
    // In a group of its own Ctrl-C does not reach it: it is told below, and the API outlives its last request.
    detached: true,
  });
  process.on('exit', () => gateway.kill('SIGKILL'));
  return gateway;
}

/** The first signal lets requests finish. One Ctrl-C may arrive twice, from the terminal and from npm; a later one means "now". */
function stopOnSignal(gateway: ChildProcess, over: AbortController): { toStop: boolean } {
  const asked = { toStop: false };
  let firstAt = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!asked.toStop) {
        asked.toStop = true;
        firstAt = performance.now();
        over.abort();
        gateway.kill('SIGTERM');
      } else if (performance.now() - firstAt > 500) gateway.kill('SIGKILL');
    });
  }
  return asked;
}

/** True once /readyz says so, false where the wait is over before. */
async function readyUnless(over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    if (await isReady()) return true;
    await delay(50);
  }
  return false;
}

function isReady(): Promise<boolean> {
  return new Promise((answer) => {
    get({ host: '127.0.0.1', port: ports[2].port, path: '/readyz', agent: false }, (reply) => {
      reply.resume();
      answer(reply.statusCode === 200);
    }).on('error', () => answer(false));
  });
}

function welcome({ clientSecret, apiKey, password }: DemoSecrets): string {
  const curl = `curl -sS --cacert ${shellWord(hereOf(caFile))}`;
  const [https, , internal] = ports;
  const base = `https://localhost:${https.port}`;
  const token = `$(${curl} -u demo-program:${clientSecret} -d grant_type=client_credentials -d scope=widgets:read -d resource=${base}/v1 ${base}/oauth/token | sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')`;
  return `
The gateway stands in front of the demo API. Try, in another terminal:

  # by an access token, which a program gets with its client credentials
  ${curl} -H "Authorization: Bearer ${token}" ${base}/v1/widgets

  # by an API key
  ${curl} -H 'X-API-Key: ${apiKey}' ${base}/v1/widgets

  # by neither: 401, and what would be right
  ${curl} -i ${base}/v1/widgets

  # a failure of the API, which tells too much; the gateway does not
  ${curl} -i -H 'X-API-Key: ${apiKey}' ${base}/v1/error

  # for you alone: the metrics, and the road of a request
  curl -sS http://127.0.0.1:${internal.port}/metrics
  npx node ${shellWord(hereOf(join(root, 'src/main.ts')))} explain GET /v1/widgets/3 --config ${shellWord(hereOf(configPath))}

And in your browser an app, to sign in to as ${DEMO_USER}. No token ever gets into the page.

  ${base}/   user ${DEMO_USER}   password ${password}

The browser warns of the certificate, since it does not know the development CA ${hereOf(caFile)}.
Change ${hereOf(configPath)} and save it: the gateway takes it up by itself.
What it logs follows below; Ctrl-C ends everything.
`;
}

/** A path as one would type it here. */
function hereOf(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}

function shellWord(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

async function takenPorts(): Promise<readonly (typeof ports)[number][]> {
  const taken: (typeof ports)[number][] = [];
  for (const place of ports) {
    const probe = createServer();
    try {
      probe.listen(place.port, '127.0.0.1');
      await once(probe, 'listening');
      probe.close();
      await once(probe, 'close');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
      taken.push(place);
    }
  }
  return taken;
}

function portFrom(name: string, fallback: number): number {
  const written = variable(name);
  if (written === undefined) return fallback;
  const port = Number(written);
  if (/^\d{1,5}$/.test(written) && port >= 1 && port <= 65_535) return port;
  console.error(`${name}=${written} is not a port; write 1 to 65535.`);
  process.exit(2);
}

process.exitCode = await main();
