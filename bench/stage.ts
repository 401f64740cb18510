import { join } from 'node:path';
import type { Stage } from './instance.ts';
import { allowedCores } from './machine.ts';
import { NGINX_INSTALL } from './nginx-config.ts';
import { findProgram } from './programs.ts';
import { startUpstream } from './upstream.ts';

/** Starts what all tables of proxies share; a sentence where this machine cannot measure proxies. */
export async function setStage(given: Pick<Stage, 'processes' | 'workDirectory' | 'signal'>): Promise<Stage | string> {
  if (process.platform !== 'linux') return 'proxies are measured on Linux only: CPU and memory are read from /proc';
  if (findProgram('taskset') === undefined) return 'taskset is not installed: apt-get install util-linux';
  if (findProgram('nginx') === undefined) return `the upstream behind the proxies is an nginx: ${NGINX_INSTALL}`;
  const [proxyCore, loadCore] = allowedCores();
  if (proxyCore === undefined || loadCore === undefined)
    return 'two cores are needed: one for the proxy, one for the load';
  const directory = join(given.workDirectory, 'upstream');
  const upstream = await startUpstream(given.processes, { core: loadCore, directory }, given.signal);
  return { ...given, upstream, proxyCore, loadCore };
}
