import { join } from 'node:path';
import type { Instance, Stage } from '../instance.ts';
import type { Options } from '../options.ts';
import { type SecuredPeer, securedPeers } from '../peers/secured.ts';
import type { Absent, Present, Rows, ThroughputRow } from '../results.ts';
import { measureThroughput, type Scenario } from '../throughput.ts';
import { CREDENTIAL_FIELDS, type CredentialKind, credentialFields, writtenCredential } from './credential-fields.ts';
import { SPARE_CREDENTIALS, writeLoadScript } from './load-script.ts';
import { type SecuredGround, setGround } from './secured-job.ts';
import { verifySecured } from './verify-secured.ts';

/** The tables of the secured job: with credentials that come again and again, and with tokens that were never seen before. */
export interface SecuredTables {
  readonly known: Rows<ThroughputRow>;
  readonly firstUse: Rows<ThroughputRow>;
  readonly present: readonly Present[];
  readonly absent: readonly Absent[];
}

type SecuredInstance = Instance & { readonly peer: SecuredPeer };

export async function measureSecured(stage: Stage, options: Options): Promise<SecuredTables> {
  const ground = await setGround(join(stage.workDirectory, 'secured'));
  try {
    const { peers, present, absent } = await choose(securedPeers(ground), options.only);
    const known = await measureThroughput(stage, peers, options, knownCredentials(ground));
    const holders = peers.filter(({ credential }) => credential === 'token');
    const firstUse = await measureThroughput(stage, holders, FIRST_USE, freshTokens(ground, options.firstUses));
    return { known, firstUse, present, absent };
  } finally {
    await ground.close();
  }
}

/** Rounds end when their tokens have run out; the time is for a peer so slow that they do not. */
const FIRST_USE = { warmUpSeconds: 30, roundSeconds: 30, rounds: 3 };

async function choose(
  all: readonly SecuredPeer[],
  only: Options['only'],
): Promise<Pick<SecuredTables, 'present' | 'absent'> & { readonly peers: readonly SecuredPeer[] }> {
  const peers: SecuredPeer[] = [];
  const present: Present[] = [];
  const absent: Absent[] = [];
  for (const peer of all) {
    if (only !== undefined && !only.includes(peer.name)) continue; // named with the plain peers already
    const state = await peer.find();
    if ('missing' in state) {
      absent.push({ title: peer.title, reason: `${state.missing}; to include it: ${state.install}` });
    } else {
      peers.push(peer);
      present.push({ title: peer.title, version: state.version });
    }
  }
  return { peers, present, absent };
}

function knownCredentials(ground: SecuredGround): Scenario<SecuredPeer> {
  return {
    headersOf: ({ credential }) => credentialFields(credential, credentialsOf(credential, ground)[0] ?? ''),
    check: (instance) => verifySecured(instance, ground),
    scriptOf: ({ running: { directory }, peer: { credential } }) => {
      const credentials = credentialsOf(credential, ground).map((text) => writtenCredential(credential, text));
      return writeLoadScript({ directory, field: CREDENTIAL_FIELDS[credential], credentials, once: false });
    },
    logs: true,
  };
}

/** Each peer is a process of its own, so one round of tokens serves all: none is shown to the same peer twice. */
function freshTokens(ground: SecuredGround, count: number): Scenario<SecuredPeer> {
  const rounds: (readonly string[])[] = [];
  const roundsOf = new Map<SecuredInstance, number>();
  return {
    ...knownCredentials(ground),
    async scriptOf(instance) {
      const { running, peer } = instance;
      const round = roundsOf.get(instance) ?? 0;
      roundsOf.set(instance, round + 1);
      rounds[round] ??= (await ground.freshTokens(count + SPARE_CREDENTIALS)).map((token) =>
        writtenCredential(peer.credential, token),
      );
      const credentials = rounds[round];
      return writeLoadScript({
        directory: running.directory,
        field: CREDENTIAL_FIELDS[peer.credential],
        credentials,
        once: true,
      });
    },
  };
}

function credentialsOf(credential: CredentialKind, ground: SecuredGround): readonly string[] {
  return credential === 'token' ? ground.tokens : [ground.apiKey];
}
