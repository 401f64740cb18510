import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { allowedCores, parseCoreList } from './machine.ts';
import { markdownTable } from './markdown-table.ts';
import { findPackages } from './node-package.ts';
import { readOptions } from './options.ts';
import { parseProcessStat, processTree } from './process-stat.ts';
import { cpuMicroseconds, readProcessTree, residentBytes, stillRuns } from './process-tree.ts';
import { lastWords, Processes } from './processes.ts';
import { findProgram } from './programs.ts';
import type { KeysRow } from './results.ts';
import { runScript } from './run-script.ts';
import { median, percentile } from './statistics.ts';
import { tellingLines } from './telling-lines.ts';
import { parseWrkReport } from './wrk-report.ts';

/** A line of /proc/<pid>/stat; utime, stime, cutime and cstime are 7, 5, 2 and 1. */
function statLine(pid: number, name: string, parent: number): string {
  return `${pid} (${name}) S ${parent} 10 10 0 -1 4194560 99 0 0 0 7 5 2 1 20 0 11 0 4242 1000 200 18446744073709551615\n`;
}

describe('parseProcessStat', () => {
  for (const name of ['nginx', 'tmux: server', '(sd-pam)', 'a) S 1 (b', ') R 9 9 9', 'new\nline', '']) {
    it(`reads a process called ${JSON.stringify(name)}`, () => {
      const expected = { pid: 31, parent: 7, ticks: 15, startedAt: 4242, zombie: false };
      assert.deepEqual(parseProcessStat(statLine(31, name, 7)), expected);
    });
  }

  for (const line of ['', '31', '31 (nginx', '31 (nginx) S 7', 'x (nginx) S 7 1 1 1']) {
    it(`refuses ${JSON.stringify(line)}`, () => {
      assert.throws(() => parseProcessStat(line), /not a line of/);
    });
  }
});

describe('processTree', () => {
  const all = [statLine(1, 'init', 0), statLine(5, 'b', 4), statLine(4, 'a', 3), statLine(3, 'root', 1)];
  const stats = [...all, statLine(9, 'other', 1)].map(parseProcessStat);

  it('takes children of children and nobody else', () => {
    assert.deepEqual(
      processTree(stats, 3).map((one) => one.pid),
      [3, 4, 5],
    );
  });

  it('is empty where the root is gone', () => {
    assert.deepEqual(processTree(stats, 77), []);
  });
});

describe('the process tree of this machine', { skip: process.platform !== 'linux' && 'it is read from /proc' }, () => {
  it('holds the CPU and memory of a child, until it ends', async () => {
    // It burns CPU for 100 ms before it says so.
    const burn =
      'const end = Date.now() + 100; while (Date.now() < end); console.log("done"); setInterval(() => {}, 1000)';
    const child = spawn(process.execPath, ['-e', burn], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = child.pid ?? assert.fail('the child did not start');
    try {
      await once(child.stdout, 'data');
      const member = readProcessTree(process.pid).find((one) => one.pid === pid) ?? assert.fail('not in the tree');
      assert.ok(cpuMicroseconds(pid) >= 20_000);
      assert.ok(residentBytes(pid) > 2 ** 20);
      assert.ok(stillRuns(member));
      assert.ok(!stillRuns({ ...member, startedAt: member.startedAt - 1 }), 'an older process with this pid is gone');
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    assert.throws(() => cpuMicroseconds(pid), /is gone/);
  });
});

const WRK = `Running 2s test @ http://127.0.0.1:4000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms  250.00us   9.80ms   91.10%
    Req/Sec    63.11k     2.10k   66.00k    75.00%
  Latency Distribution
     50%  880.00us
     75%    1.10ms
     90%    1.30ms
     99%    1.65s
  125700 requests in 2.00s, 41.20MB read
Requests/sec:  62850.11
Transfer/sec:     20.60MB
`;

describe('parseWrkReport', () => {
  it('reads totals and latencies in any unit', () => {
    assert.deepEqual(parseWrkReport(WRK), { requests: 125_700, seconds: 2, p50: 0.88, p99: 1650, errors: 0 });
    assert.equal(parseWrkReport(WRK.replace('in 2.00s,', 'in 1.50m,')).seconds, 90);
  });

  it('adds up replies and sockets that failed', () => {
    const lines =
      '  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 100\nRequests/sec:';
    assert.equal(parseWrkReport(WRK.replace('Requests/sec:', lines)).errors, 110);
  });

  it('refuses a report with a gap', () => {
    assert.throws(() => parseWrkReport('unable to connect to 127.0.0.1:1 Connection refused'), /no totals/);
    assert.throws(() => parseWrkReport(WRK.replace(/ +99%.*\n/, '')), /no 99% latency/);
  });
});

describe('statistics', () => {
  it('takes the middle, whatever the order', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.equal(median([10, 9, 100]), 10); // numbers, not their spelling
    assert.ok(Number.isNaN(median([])));
  });

  it('interpolates between neighbours', () => {
    assert.equal(percentile([10, 20, 30, 40, 50], 0.9), 46);
    assert.equal(percentile([10, 20], 0), 10);
    assert.equal(percentile([10, 20], 1), 20);
  });

  it('leaves its input alone', () => {
    const values = [3, 1, 2];
    median(values);
    assert.deepEqual(values, [3, 1, 2]);
  });
});

describe('markdownTable', () => {
  it('aligns cells and escapes what would break the table', () => {
    const table = markdownTable(
      [
        { title: 'Proxy', align: 'left' },
        { title: 'µs', align: 'right' },
      ],
      [
        ['a|b', '7'],
        ['two\nlines', '15.25'],
      ],
    );
    assert.equal(
      table,
      ['| Proxy     |    µs |', '| --------- | ----: |', '| a\\|b      |     7 |', '| two lines | 15.25 |'].join('\n'),
    );
  });

  it('refuses a row of another width', () => {
    assert.throws(() => markdownTable([{ title: 'a', align: 'left' }], [['1', '2']]), /2 cells for 1 columns/);
  });
});

describe('readOptions', () => {
  const known = ['nginx', 'sallyport'];

  it('is bounded: 25 minutes, five when quick, more only when asked', () => {
    assert.equal(readOptions([], known).deadlineSeconds, 1_500);
    assert.equal(readOptions(['--quick'], known).deadlineSeconds, 300);
    assert.equal(readOptions(['--seconds', '6'], known).deadlineSeconds, 1_510);
  });

  it('takes names of peers and refuses others', () => {
    assert.deepEqual(readOptions(['--only', 'nginx, sallyport'], known).only, ['nginx', 'sallyport']);
    assert.throws(() => readOptions(['--only', 'ngnix'], known), /ngnix: choose from nginx, sallyport/);
  });

  it('takes names of tables and refuses others', () => {
    assert.deepEqual(readOptions(['--tables', 'keys,plain'], known).tables, ['plain', 'keys']);
    assert.equal(readOptions([], known).tables, undefined);
    assert.throws(() => readOptions(['--tables', 'latency'], known), /latency: choose from plain, secured, keys/);
  });

  for (const seconds of ['0', '-1', '1.5', '61', 'ten', '']) {
    it(`refuses --seconds ${JSON.stringify(seconds)}`, () => {
      assert.throws(() => readOptions([`--seconds=${seconds}`], known), /whole number of seconds/);
    });
  }

  it('refuses what it does not know', () => {
    assert.throws(() => readOptions(['--fast'], known), /--fast/);
    assert.throws(() => readOptions(['nginx'], known), /nginx/);
  });
});

describe('parseCoreList', () => {
  it('reads ranges and single cores', () => {
    assert.deepEqual(parseCoreList('0-2,5'), [0, 1, 2, 5]);
    assert.deepEqual(parseCoreList('7'), [7]);
    assert.deepEqual(parseCoreList(''), []);
  });
});

describe('Processes', { skip: process.platform !== 'linux' && 'it is read from /proc' }, () => {
  it('ends a server that ignores SIGTERM, its children with it, and only on the second try', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'bench-'));
    const processes = new Processes(200);
    const script = "trap '' TERM; sleep 1000 & echo ready >&2; while :; do sleep 1000; done";
    const launch = { command: 'sh', args: ['-c', script], env: {} };
    try {
      const running = processes.start(launch, { core: allowedCores()[0] ?? 0, directory });
      while (!lastWords(running).includes('ready')) await sleep(5);
      while (readProcessTree(running.pid).length < 3) await sleep(5);
      const family = readProcessTree(running.pid);
      await processes.stop(running);
      while (family.some(stillRuns)) await sleep(5);
      // Node tells of the end a moment after the system does.
      while (running.child.exitCode === null && running.child.signalCode === null) await sleep(5);
      assert.equal(running.child.signalCode, 'SIGKILL');
    } finally {
      processes.killAllNow();
      rmSync(directory, { recursive: true });
    }
  });
});

describe('what is not installed', () => {
  it('is named with the way to install it', async () => {
    assert.deepEqual(await findPackages(['express', 'no-such-package-at-all']), {
      missing: 'the npm package no-such-package-at-all is not installed',
      install: 'npm install',
    });
    assert.equal(findProgram('no-such-program-at-all'), undefined);
    assert.equal(findProgram('sh')?.endsWith('/sh'), true);
  });
});

describe('the table of keys', () => {
  it('imports, looks up and caches as many keys as it is told', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'bench-keys-'));
    try {
      const args = ['--expose-gc', new URL('./keys.ts', import.meta.url), 'sqlite', '300', directory];
      const printed = await runScript(args, { signal: AbortSignal.timeout(60_000), timeoutMs: 60_000 });
      const row = JSON.parse(printed) as KeysRow; // ours, and typed to print exactly this
      assert.deepEqual([row.store, row.keys], ['sqlite', 300]);
      for (const figure of [row.importedPerSecond, row.lookupUs, row.lookupCpuUs, row.finderMiB])
        assert.ok(figure > 0, printed);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('says what went wrong in a script', async () => {
    const args = [new URL('./keys.ts', import.meta.url), 'oracle', '1', '/'];
    const run = runScript(args, { signal: AbortSignal.timeout(60_000), timeoutMs: 60_000 });
    await assert.rejects(run, /usage: node keys\.ts/);
  });
});

describe('tellingLines', () => {
  it('leaves out stack frames and the place of the checkout', () => {
    const file = new URL('../src/main.ts', import.meta.url);
    const output = `node:internal\n\nError: no ${file.pathname}\n    at ${file.href}:1:2\n  see ${file.href}\n`;
    assert.equal(tellingLines(output), 'node:internal\nError: no src/main.ts\n  see src/main.ts');
    assert.equal(tellingLines('\n'), 'it printed nothing');
  });
});
