import { join } from 'node:path';
import type { Instance, Stage } from '../instance.ts';
import type { Options } from '../options.ts';
import { type SecuredPeer, securedPeers } from '../peers/secured.ts';
import { ask } from '../probe.ts';
import type { Rows, ThroughputRow } from '../results.ts';
import { measureThroughput, type Scenario } from '../throughput.ts';
import { type SecuredGround, setGround, writeLoadScript } from './secured-job.ts';

/** The tables of the secured job: with credentials that come again and again, and with tokens that were never seen before. */
export interface SecuredTables {
  readonly known: Rows<ThroughputRow>;
  readonly firstUse: Rows<ThroughputRow>;
}

/** Tokens of a round of first uses: more than any peer gets through in it. */
const FRESH_TOKENS = 16_000;
const FRESH_SECONDS = 1;

export async function measureSecured(
  stage: Stage,
  only: readonly string[] | undefined,
  options: Options,
): Promise<SecuredTables> {
  const ground = await setGround(join(stage.workDirectory, 'secured'));
  try {
    const peers = await present(securedPeers(ground), only);
    const known = await measureThroughput(stage, peers, options, knownCredentials(ground));
    const holders = peers.filter(({ credential }) => credential === 'token');
    const once = { warmUpSeconds: 1, roundSeconds: FRESH_SECONDS, rounds: options.quick ? 1 : 3 };
    const firstUse = await measureThroughput(stage, holders, once, freshTokens(ground));
    return { known, firstUse };
  } finally {
    await ground.close();
  }
}

async function present(peers: readonly SecuredPeer[], only: readonly string[] | undefined): Promise<SecuredPeer[]> {
  const found: SecuredPeer[] = [];
  for (const peer of peers) {
    if (only !== undefined && !only.includes(peer.name)) continue;
    if (!('missing' in (await peer.find()))) found.push(peer);
  }
  return found;
}

function knownCredentials(ground: SecuredGround): Scenario<SecuredPeer> {
  return {
    headersOf: (peer) => headersOf(peer, ground),
    check: (instance) => refusesBadCredentials(instance, ground),
    scriptOf: ({ running, peer }) =>
      peer.credential === 'token'
        ? writeLoadScript(
            running.directory,
            'Authorization',
            ground.tokens.map((token) => `Bearer ${token}`),
          )
        : writeLoadScript(running.directory, 'X-API-Key', [ground.apiKey]),
  };
}

/** A round of its own tokens for each peer and round: none is ever shown twice. */
function freshTokens(ground: SecuredGround): Scenario<SecuredPeer> {
  return {
    ...knownCredentials(ground),
    async scriptOf({ running }) {
      const tokens = await ground.freshTokens(FRESH_TOKENS);
      return writeLoadScript(
        running.directory,
        'Authorization',
        tokens.map((token) => `Bearer ${token}`),
      );
    },
  };
}

function headersOf(peer: SecuredPeer, ground: SecuredGround): Readonly<Record<string, string>> {
  return peer.credential === 'token'
    ? { Authorization: `Bearer ${ground.tokens[0] ?? ''}` }
    : { 'X-API-Key': ground.apiKey };
}

/** A peer that lets a bad credential in does not do the job, whatever it costs. */
async function refusesBadCredentials(
  { port, peer }: Instance & { readonly peer: SecuredPeer },
  ground: SecuredGround,
): Promise<void> {
  const bad: readonly [string, Readonly<Record<string, string>>][] = [
    ['no credential', {}],
    ...(peer.credential === 'token'
      ? Object.entries(ground.badTokens).map(([what, token]): [string, Readonly<Record<string, string>>] => [
          `a token ${what}`,
          { Authorization: `Bearer ${token}` },
        ])
      : [
          ['a key with a typo', { 'X-API-Key': `${ground.apiKey.slice(0, -1)}_` }] satisfies [
            string,
            Record<string, string>,
          ],
        ]),
  ];
  for (const [what, headers] of bad) {
    const { status } = await ask({ port, path: '/', ca: undefined, headers });
    if (status !== 401) throw new Error(`answers ${status} to ${what}, and not 401`);
  }
}
