import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificate, Peer } from './peers/peer.ts';
import { ask, freePort, type Question } from './probe.ts';
import type { Processes, Running } from './processes.ts';
import { FORWARDED_FOR_PATH, type Upstream } from './upstream.ts';
import { waitForAnswer } from './wait-for-answer.ts';

/** What all tables share: one upstream on the load core, proxies on the other. */
export interface Stage {
  readonly processes: Processes;
  readonly upstream: Upstream;
  readonly workDirectory: string;
  readonly proxyCore: number;
  readonly loadCore: number;
  /** Aborted when the time of the run is up. */
  readonly signal: AbortSignal;
}

/** A peer that answers. */
export interface Instance {
  readonly peer: Peer;
  readonly running: Running;
  readonly port: number;
  /** Milliseconds from the start of its process to the end of its first right answer. */
  readonly startMs: number;
}

export interface InstanceOptions {
  readonly connections: number;
  readonly tls: (Certificate & { readonly ca: string }) | undefined;
  /** What every request to it carries. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Starts a peer and waits for its first right answer; ends it again where none comes. */
export async function startInstance(stage: Stage, peer: Peer, options: InstanceOptions): Promise<Instance> {
  await mkdir(stage.workDirectory, { recursive: true });
  const directory = await mkdtemp(join(stage.workDirectory, `${peer.name}-`));
  const port = await freePort();
  const upstreamPort = stage.upstream.port;
  const { connections, tls, headers } = options;
  const launch = await peer.prepare({ directory, port, upstreamPort, tls, connections });
  const startedAt = performance.now();
  const running = stage.processes.start(launch, { core: stage.proxyCore, directory });
  try {
    const question = { port, path: '/', ca: tls?.ca, headers };
    await waitForAnswer(running, { question, body: stage.upstream.body, signal: stage.signal });
  } catch (error) {
    await stage.processes.stop(running);
    throw error;
  }
  return { peer, running, port, startMs: performance.now() - startedAt };
}

/** Throws where a peer answers out of its own head, or hides from the upstream whom it speaks for. */
export async function verifyInstance(
  stage: Stage,
  instance: Instance,
  { ca, headers }: Pick<Question, 'ca' | 'headers'>,
): Promise<void> {
  const question: Question = { port: instance.port, path: '/', ca, headers };
  const before = await stage.upstream.counters();
  const asked = 5;
  for (let count = 0; count < asked; count++) {
    const answer = await ask(question);
    if (answer.status !== 200 || answer.body !== stage.upstream.body) {
      throw new Error(`answers ${answer.status} with something else than the upstream's body`);
    }
  }
  const after = await stage.upstream.counters();
  const seen = after.requests - before.requests - 1;
  if (seen !== asked) throw new Error(`the upstream saw ${seen} of ${asked} requests`);
  const forwarded = await ask({ ...question, path: FORWARDED_FOR_PATH });
  if (!/^(::ffff:)?127\.0\.0\.1$/.test(forwarded.body)) {
    throw new Error(`tells the upstream ${JSON.stringify(forwarded.body)} as X-Forwarded-For`);
  }
}
