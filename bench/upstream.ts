import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { prepareNginx } from './nginx-config.ts';
import { ask, freePort } from './probe.ts';
import type { Placement, Processes } from './processes.ts';
import { waitForAnswer } from './wait-for-answer.ts';

/** The server behind every proxy. */
export interface Upstream {
  readonly port: number;
  /** What it answers to `/`: 200 bytes of JSON with a token of this run in it, so that no other server can be meant. */
  readonly body: string;
  /** What it has counted since its start; the look itself is counted too. */
  counters(): Promise<UpstreamCounters>;
}

export interface UpstreamCounters {
  readonly connections: number;
  readonly requests: number;
}

/** Echoes the client address the proxy names; shows that a peer does the work of a proxy and not of a pipe. */
export const FORWARDED_FOR_PATH = '/bench/forwarded-for';

/** Starts an nginx that answers from memory and counts what reaches it. */
export async function startUpstream(
  processes: Processes,
  placement: Placement,
  signal: AbortSignal,
): Promise<Upstream> {
  await mkdir(placement.directory, { recursive: true });
  const port = await freePort();
  const body = jsonOfTwoHundredBytes();
  const launch = await prepareNginx({
    directory: placement.directory,
    connections: 4096,
    http: `  server {
    listen 127.0.0.1:${port};
    default_type application/json;
    location / { return 200 '${body}'; }
    location = ${FORWARDED_FOR_PATH} { return 200 '$http_x_forwarded_for'; }
    location = /bench/counters { stub_status; }
  }`,
  });
  const running = processes.start(launch, placement);
  await waitForAnswer(running, { question: { port, path: '/', ca: undefined }, body, signal });
  return { port, body, counters: async () => parseCounters((await askCounters(port)).body) };
}

function askCounters(port: number): ReturnType<typeof ask> {
  return ask({ port, path: '/bench/counters', ca: undefined });
}

/** https://nginx.org/en/docs/http/ngx_http_stub_status_module.html: accepted, handled and requests stand in a line. */
function parseCounters(text: string): UpstreamCounters {
  const counts = /^\s*(\d+) \d+ (\d+)\s*$/m.exec(text);
  if (counts === null) throw new Error(`the upstream's counters are not those of nginx's stub_status: ${text}`);
  return { connections: Number(counts[1]), requests: Number(counts[2]) };
}

function jsonOfTwoHundredBytes(): string {
  const start = `{"token":"${randomBytes(12).toString('hex')}","padding":"`;
  return `${start.padEnd(198, 'x')}"}`;
}
