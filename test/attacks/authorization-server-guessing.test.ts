import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { PageVisit, Visitor } from '../../src/oauth/accounts/test-visitor.ts';
import { ADA, CALLBACK, type OauthGateway, startOauthGateway } from '../support/oauth-gateway.ts';
import { goThrough, isConsent, isSignIn } from '../support/oauth-pages.ts';
import { until } from '../support/until.ts';

/** Tries at one account that have no wait before them, and failures of one address. */
const FREE_FOR_ACCOUNT = 5;
const FREE_FOR_ADDRESS = 30;

const GRACE = { username: 'grace', password: 'a lantern above the gate' } as const;

describe('47: guessing passwords, through the gateway', { timeout: 90_000 }, () => {
  let at: OauthGateway;
  before(async () => {
    at = await startOauthGateway(() => ({
      users: [ADA, GRACE],
      clients: [
        { id: 'web', secret: 'a-secret-of-forty-characters-for-a-test!', redirectUris: [CALLBACK], scopes: ['openid'] },
      ],
    }));
  });
  after(() => at?.stop());

  /** Where an app sends people; `prompt` asks for the password even where somebody is signed in. */
  function start(prompt?: 'login'): string {
    const query = new URLSearchParams({
      client_id: 'web',
      redirect_uri: CALLBACK,
      response_type: 'code',
      scope: 'openid',
      code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
      code_challenge_method: 'S256',
      ...(prompt === undefined ? {} : { prompt }),
    });
    return `${at.issuer}/authorize?${query}`;
  }

  interface Guesser {
    guess(username: string, password?: string, headers?: Readonly<Record<string, string>>): Promise<PageVisit>;
  }

  /** Somebody with a browser at the sign-in page. */
  async function guesser(address: string): Promise<Guesser> {
    const visitor = at.browse(at.fetchAs({ address }));
    const page = await visitor.get(start());
    return {
      guess: (username, password = 'not the right one', headers = {}) =>
        visitor.submit(page, 'password', { username, password }, headers),
    };
  }

  test('an account that does not exist answers as one that does, and costs as much work', {
    skip: !existsSync('/proc/self/stat') && 'the work of a process is read in /proc, which only Linux has',
  }, async () => {
    const [one, two] = [await guesser('127.0.3.1'), await guesser('127.0.3.2')];
    // The first of each does what is done once only.
    const [known] = [await one.guess(ADA.username), await two.guess('nobody')];
    const work = { known: 0, unknown: 0 };
    for (let round = 1; round < FREE_FOR_ACCOUNT; round += 1) {
      const before = workOf(at);
      const right = await one.guess(ADA.username);
      const between = workOf(at);
      const wrong = await two.guess('nobody');
      work.known += between - before;
      work.unknown += workOf(at) - between;
      assert.equal(wordingOf(right), wordingOf(wrong));
      assert.deepEqual([right.status, wrong.status], [400, 400]);
      assert.equal(wordingOf(right), wordingOf(known));
      assert.deepEqual(namesOf(right), namesOf(wrong));
    }
    assert.match(known.body, /The username or the password is wrong/);
    // A hash takes some 60 ms of a core, everything else of a request a few: without it there would be a tenth.
    assert.ok(work.unknown > work.known / 2 && work.known > work.unknown / 2, JSON.stringify(work));

    const [throttled, alike] = [
      await untilSlowed(() => one.guess(ADA.username)),
      await untilSlowed(() => two.guess('nobody')),
    ];
    assert.equal(wordingOf(throttled), wordingOf(alike));
  });

  test('each account is slowed down wherever the tries come from, and the right password has to wait its turn', async () => {
    // Grace has signed in with this browser before: nobody who hammers at her account keeps her out.
    const herBrowser: Visitor = at.browse(at.fetchAs({ address: '127.0.4.99' }));
    await goThrough(herBrowser, start(), GRACE);

    for (let round = 1; round <= FREE_FOR_ACCOUNT; round += 1) {
      const { guess } = await guesser(`127.0.4.${round}`);
      assert.equal((await guess(GRACE.username.toUpperCase())).status, 400);
    }
    const stranger = await guesser('127.0.4.50');
    await until('a wait that is long enough for what follows', async () => {
      const { headers } = await untilSlowed(() => stranger.guess(GRACE.username));
      return Number(headers.get('retry-after')) >= 2;
    });
    const early = await stranger.guess(GRACE.username, GRACE.password);
    assert.equal(early.status, 429, 'the answer does not tell a right password from a wrong one');
    const atHome = await herBrowser.submit(await herBrowser.get(start('login')), 'password', GRACE);
    assert.ok(!isSignIn(atHome), atHome.body);
    await until('the wait to be over', async () => isConsent(await stranger.guess(GRACE.username, GRACE.password)));
  });

  test('each address is slowed down whoever it guesses at, and whatever it says its address is', async () => {
    const { guess } = await guesser('127.0.5.1');
    for (let round = 0; round < FREE_FOR_ADDRESS; round += 1) {
      const { status } = await guess(`user${round}`, undefined, { 'X-Forwarded-For': `203.0.113.${round}` });
      assert.equal(status, 400);
    }
    let round = 0;
    await untilSlowed(() => {
      round += 1;
      return guess(`further${round}`, undefined, { Forwarded: `for=198.51.100.${round}` });
    });
    assert.equal((await (await guesser('127.0.5.2')).guess('further0')).status, 400, 'others go on');
  });
});

/** Each wait is twice as long as the one before, so there is one soon that a guess falls into. */
async function untilSlowed(guess: () => Promise<PageVisit>): Promise<PageVisit> {
  for (let round = 0; round < 10; round += 1) {
    const page = await guess();
    if (page.status === 429) {
      assert.match(page.headers.get('retry-after') ?? '', /^\d+$/);
      return page;
    }
    assert.equal(page.status, 400);
  }
  return assert.fail('ten more guesses were taken');
}

/** Time of a core that the gateway's process has taken, in clock ticks. */
function workOf({ gateway }: OauthGateway): number {
  const stat = readFileSync(`/proc/${gateway.process.pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** A page without what is made anew for each, and without the name that was typed. */
function wordingOf({ body }: PageVisit): string {
  return body
    .replaceAll(/(value|action|href|data-[a-z-]+)="[^"]*"/g, '$1=""')
    .replaceAll(/Wait (a second|\d+ seconds)/g, 'Wait');
}

function namesOf({ headers }: PageVisit): readonly string[] {
  return [...headers.keys()].filter((name) => name !== 'set-cookie').sort();
}
