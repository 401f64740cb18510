import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type DemoApi, startDemoApi } from './api.ts';

const root = join(import.meta.dirname, '../..');
const configPath = join(import.meta.dirname, 'sallyport.yaml');
const dataDir = resolve(import.meta.dirname, process.env['DEMO_DATA_DIR'] ?? '.sallyport');
const caFile = join(dataDir, 'dev-ca/ca.pem');

/** The ports of sallyport.yaml, with the variables that move them. */
const ports = [
  { use: 'HTTPS', variable: 'DEMO_PORT', port: portFrom('DEMO_PORT', 8443) },
  { use: 'HTTP, redirected to HTTPS', variable: 'DEMO_HTTP_PORT', port: portFrom('DEMO_HTTP_PORT', 8080) },
  { use: 'metrics and health', variable: 'DEMO_INTERNAL_PORT', port: portFrom('DEMO_INTERNAL_PORT', 9443) },
] as const;

/** Runs the demo API and the gateway before it until Ctrl-C, and says what to try. Resolves with the exit code. */
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
  const api = await startDemoApi({ port: 0 });
  const gateway = startGateway(api);
  const over = new AbortController();
  const ended = once(gateway, 'exit').then(() => over.abort());
  const asked = stopOnSignal(gateway, over);
  try {
    if (await readyUnless(over.signal)) console.log(welcome());
    await ended;
    if (!asked.toStop) console.error('The gateway has ended by itself; what it printed above says why.');
    return gateway.exitCode ?? 1;
  } finally {
    await api.close();
  }
}

function startGateway(api: DemoApi): ChildProcess {
  const gateway = spawn(process.execPath, [join(root, 'src/main.ts'), 'start', '--config', configPath], {
    stdio: 'inherit',
    env: { ...process.env, DEMO_UPSTREAM: api.url },
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

function welcome(): string {
  const curl = `curl --cacert ${shellWord(hereOf(caFile))}`;
  const [https, , internal] = ports;
  return `
The gateway stands in front of the demo API. Try, in another terminal:

  ${curl} https://localhost:${https.port}/v1/widgets
  ${curl} -i https://localhost:${https.port}/v1/error
  curl http://127.0.0.1:${internal.port}/metrics

The first goes through to the API. The second fails in there: the API tells too much, the gateway does not.
The third is for you alone. What the gateway logs follows below; Ctrl-C ends both.

Change ${shellWord(hereOf(configPath))} and save it: the gateway takes it up by itself. To see the road of a request:

  npx node ${shellWord(hereOf(join(root, 'src/main.ts')))} explain GET /v1/widgets/3 --config ${shellWord(hereOf(configPath))}
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

function portFrom(variable: string, fallback: number): number {
  const written = process.env[variable];
  if (written === undefined) return fallback;
  const port = Number(written);
  if (/^\d{1,5}$/.test(written) && port >= 1 && port <= 65_535) return port;
  console.error(`${variable}=${written} is not a port; write 1 to 65535.`);
  process.exit(2);
}

process.exitCode = await main();
