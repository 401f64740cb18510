import { type Stage, startInstance } from './instance.ts';
import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import type { Failure, Rows, StartupRow } from './results.ts';
import { median } from './statistics.ts';
import { LOAD_CONNECTIONS } from './throughput.ts';

/** Table 3: from the start of the process to the end of the first answered request. */
export async function measureStartup(
  stage: Stage,
  peers: readonly Peer[],
  options: Options,
): Promise<Rows<StartupRow>> {
  const rows: StartupRow[] = [];
  const failures: Failure[] = [];
  for (const peer of peers) {
    stage.signal.throwIfAborted();
    try {
      rows.push(await measurePeer(stage, peer, options.starts));
    } catch (error) {
      failures.push({ peer: peer.title, reason: String(error) });
    }
  }
  return { rows, failures, skipped: undefined };
}

async function measurePeer(stage: Stage, peer: Peer, starts: number): Promise<StartupRow> {
  const times: number[] = [];
  for (let start = 0; start < starts; start++) {
    const instance = await startInstance(stage, peer, { connections: LOAD_CONNECTIONS, tls: undefined });
    times.push(instance.startMs);
    await stage.processes.stop(instance.running);
  }
  return {
    peer: peer.title,
    medianMs: median(times),
    fastestMs: Math.min(...times),
    slowestMs: Math.max(...times),
  };
}
