import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readOptions } from './options.ts';
import { renderReport } from './report.ts';
import type { Results, ThroughputRow } from './results.ts';

describe('renderReport', () => {
  const row: ThroughputRow = {
    peer: 'nginx',
    cpuMicrosecondsPerRequest: 20,
    cpuLowest: 19,
    cpuHighest: 22,
    requestsPerSecond: 50_000,
    p50: 1,
    p99: 2,
    busy: 1,
    errors: 0,
    unfit: undefined,
  };
  const nothing = { rows: [], failures: [], skipped: undefined };
  const results: Results = {
    measuredAt: '2026-01-02T03:04:05.000Z',
    options: readOptions([], []),
    machine: {
      cpu: 'Some CPU',
      cores: 2,
      memoryGiB: 4,
      kernel: 'Linux 6',
      loadBefore: 0,
      node: 'v26',
      wrk: '4.1.0',
      openssl: '3.0.0',
      commit: 'abc1234',
    },
    present: [{ title: 'nginx', version: '1.22.1' }],
    absent: [{ title: 'HAProxy', reason: 'not installed' }],
    throughput: { ...nothing, rows: [row, { ...row, peer: 'Sallyport', cpuMicrosecondsPerRequest: 50 }] },
    secured: {
      ...nothing,
      rows: [
        { ...row, peer: 'HAProxy, jwt_verify', cpuMicrosecondsPerRequest: 100 },
        { ...row, peer: 'Sallyport, one worker', cpuMicrosecondsPerRequest: 60 },
        { ...row, peer: 'Express + jose', cpuMicrosecondsPerRequest: 600 },
      ],
    },
    securedFirstUse: nothing,
    keys: nothing,
    memory: { ...nothing, skipped: 'openssl is not installed' },
    startup: { ...nothing, failures: [{ peer: 'Sallyport', reason: 'Error: ended\n  before its first answer' }] },
    routes: nothing,
  };

  it('gives ratios to nginx, and names what is absent, skipped and failed', () => {
    const text = renderReport(results);
    assert.match(text, /\| Sallyport +\| +50\.0 \|.* 2\.50× \|/);
    assert.match(text, /\| Sallyport, one worker +\| +60\.0 \|.* 0\.60× \| +0\.10× \|/);
    assert.match(text, /- HAProxy: skipped, not installed/);
    assert.match(text, /Skipped: openssl is not installed\./);
    assert.match(text, /- Sallyport: \*\*failed\*\*: Error: ended before its first answer/);
  });

  it('says whether the bars of the secured job are kept, of rows that are fit only', () => {
    const text = renderReport(results);
    assert.match(text, /0\.60× what HAProxy pays; the bar is below 1\.00×: kept/);
    assert.match(text, /0\.10× what the Express stack pays; the bar is below 0\.20×: kept/);
    const [first, ...others] = results.secured.rows;
    const cheap = { ...(first ?? row), cpuMicrosecondsPerRequest: 50 };
    const missed = renderReport({ ...results, secured: { ...nothing, rows: [cheap, ...others] } });
    assert.match(missed, /1\.20× what HAProxy pays; the bar is below 1\.00×: \*\*missed\*\*/);
    const unfit = renderReport({
      ...results,
      secured: { ...nothing, rows: [{ ...cheap, unfit: 'no log' }, ...others] },
    });
    assert.doesNotMatch(unfit, /what HAProxy pays;/);
    assert.match(unfit, /what the Express stack pays;/);
  });

  it('gives no ratio without nginx, and says when a row is unfit', () => {
    const alone = { ...row, peer: 'HAProxy', errors: 3, unfit: 'requests failed' };
    const text = renderReport({ ...results, throughput: { ...nothing, rows: [alone] } });
    assert.match(text, /\| HAProxy .* – \|.*3 \(unfit: requests failed\)/);
  });
});
