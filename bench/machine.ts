import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findProgram, outputOf, versionOf } from './programs.ts';

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** Processes that wanted a core in the minute before the run; anything near 1 disturbs it. */
  readonly loadBefore: number;
  readonly node: string;
  readonly wrk: string;
  readonly openssl: string;
  /** The commit measured, with a mark where the tree differs from it. */
  readonly commit: string;
}

export async function readMachine(): Promise<MachineFacts> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: totalmem() / 2 ** 30,
    kernel: `${type()} ${release()}`,
    loadBefore: loadavg()[0] ?? Number.NaN,
    node: process.version,
    wrk: findProgram('wrk') === undefined ? 'not installed' : await versionOf('wrk', ['-v'], /wrk \D*(\d+\.\d+\.\d+)/),
    openssl:
      findProgram('openssl') === undefined ? 'not installed' : await versionOf('openssl', ['version'], /OpenSSL (\S+)/),
    commit: await readCommit(),
  };
}

/** The cores this process may use, read from its affinity: a container may own cores 4 and 7 only. */
export function allowedCores(): readonly number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return parseCoreList(list);
}

/** `0-2,5` → 0, 1, 2, 5. */
export function parseCoreList(list: string): readonly number[] {
  if (list === '') return [];
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    if (first === undefined || last === undefined || !Number.isInteger(first) || !Number.isInteger(last)) return [];
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

async function readCommit(): Promise<string> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const commit = (await outputOf('git', ['-C', root, 'rev-parse', '--short', 'HEAD'])).trim();
  if (!/^[0-9a-f]{4,40}$/.test(commit)) return 'unknown';
  const changes = (await outputOf('git', ['-C', root, 'status', '--porcelain', '--', 'src'])).trim();
  return changes === '' ? commit : `${commit} with changes`;
}
