import { body, left, right } from './report-parts.ts';
import type { Results, Rows, ThroughputRow } from './results.ts';

/** What issue and design ask of the secured job, in parts of what others pay in the same run. */
const BARS = [
  { peer: 'HAProxy', of: 'what HAProxy pays', below: 1 },
  { peer: 'Express', of: 'what the Express stack pays', below: 0.2 },
];

export function secured({ secured: table, options }: Results): string {
  return `${comparison(table)}

${verdict(table)}How: as above (${options.rounds} rounds of ${options.roundSeconds} s), and the same job for everyone: the signature of an RS256 token (2,048 bits), its issuer, audience and expiry
are checked, security headers and those of CORS are set on the reply, a line of an access log is written to a file, the request is passed on. Clients show 100 tokens of as many
subjects in turn. Sallyport and the Fastify row with a cache remember tokens they have proved; HAProxy, Express and the other Fastify row check each signature
again. Before the rounds every peer is shown to set the headers, to write its line, and to answer 401 without a credential and to a token of another issuer, of another
audience, expired, signed with another key, not signed at all, or signed with the public key as a shared secret (an API key: with a typo, or never given out). A row with
fewer lines in its log than requests is unfit. Each peer logs in its own format; helmet sets some headers more than Sallyport and HAProxy do.`;
}

export function firstUse({ securedFirstUse: table, options }: Results): string {
  return `${comparison(table)}

How: the same job, but every request shows a token that was never shown before, so that no cache can help. A round ends when its ${options.firstUses} tokens have run out;
one of them for warm-up, then three that count.`;
}

/** The rows of a table of the secured job, with what they cost in terms of the two that matter most. */
function comparison(table: Rows<ThroughputRow>): string {
  const ratio = (row: ThroughputRow, other: ThroughputRow | undefined): string =>
    other === undefined ? '–' : `${ratioOf(row, other).toFixed(2)}×`;
  const [haproxy, express] = [rowOf(table, 'HAProxy'), rowOf(table, 'Express')];
  const rows = table.rows.map((row) => [
    row.peer,
    row.cpuMicrosecondsPerRequest.toFixed(1),
    `${row.cpuLowest.toFixed(1)}–${row.cpuHighest.toFixed(1)}`,
    ratio(row, haproxy),
    ratio(row, express),
    row.requestsPerSecond.toFixed(0),
    row.p99.toFixed(2),
    row.unfit === undefined ? String(row.errors) : `${row.errors} (unfit: ${row.unfit})`,
  ]);
  const columns = [
    left('Proxy'),
    right('CPU µs/request'),
    right('lowest–highest'),
    right('of HAProxy'),
    right('of Express'),
    right('requests/s'),
    right('p99 ms'),
    right('errors'),
  ];
  return body(table, columns, rows);
}

/** Whether the bars are kept in this run; nothing where a row it takes is missing or unfit. */
function verdict(table: Rows<ThroughputRow>): string {
  const ours = rowOf(table, 'Sallyport');
  const lines = BARS.flatMap(({ peer, of, below }) => {
    const other = rowOf(table, peer);
    if (ours === undefined || other === undefined) return [];
    if (ours.unfit !== undefined || other.unfit !== undefined) return [];
    const ratio = ratioOf(ours, other);
    return [
      `- ${ratio.toFixed(2)}× ${of}; the bar is below ${below.toFixed(2)}×: ${ratio < below ? 'kept' : '**missed**'}.`,
    ];
  });
  return lines.length === 0 ? '' : `Sallyport in this run:\n\n${lines.join('\n')}\n\n`;
}

function rowOf(table: Rows<ThroughputRow>, start: string): ThroughputRow | undefined {
  return table.rows.find(({ peer }) => peer.startsWith(start));
}

function ratioOf(row: ThroughputRow, other: ThroughputRow): number {
  return row.cpuMicrosecondsPerRequest / other.cpuMicrosecondsPerRequest;
}

export function keys({ keys: table }: Results): string {
  const rows = table.rows.map((row) => [
    row.store === 'sqlite' ? 'SQLite' : 'PostgreSQL',
    String(row.keys),
    row.importedPerSecond.toFixed(0),
    row.lookupUs.toFixed(1),
    row.lookupCpuUs.toFixed(1),
    row.finderMiB.toFixed(1),
  ]);
  const columns = [
    left('Records'),
    right('keys'),
    right('imported/s'),
    right('look-up, µs'),
    right('its CPU in the gateway, µs'),
    right('a worker’s cache after all were used, MiB'),
  ];
  return `${body(table, columns, rows)}

How: a fresh process and database for each row; keys are imported as the admin API imports them, in batches of 500, each a transaction with its audit record (PostgreSQL without fsync
here), then looked up in the store, one after the other at random: the median of 15 batches of a thousand. The last column is by how much the heap has grown once every key was used through the bounded
cache of a worker.`;
}
