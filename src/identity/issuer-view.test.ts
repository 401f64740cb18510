import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreUnavailable } from '../stores/stores.ts';
import { createIssuers } from './issuer-view.ts';
import type { ControlLink } from './link.ts';
import type { IssuerKeySet } from './services.ts';

const ISSUER = 'https://id.example';
const set = (generation: number, issuer = ISSUER): IssuerKeySet => ({ issuer, jwks: { keys: [] }, generation });

/** A control plane whose answers the test gives one by one. */
function heldLink() {
  const asked: { readonly question: string; readonly facts: unknown }[] = [];
  const held: PromiseWithResolvers<unknown>[] = [];
  const link: ControlLink = {
    ask(question, facts) {
      asked.push({ question, facts });
      const answer = Promise.withResolvers<unknown>();
      held.push(answer);
      return answer.promise as Promise<never>; // whatever the question asks for
    },
  };
  return { link, asked, next: () => held.shift() ?? assert.fail('nothing is asked') };
}

test('a worker knows what it was told, and asks for what it was not', async () => {
  const { link, asked, next } = heldLink();
  const issuers = createIssuers(link);
  assert.equal(issuers.known(ISSUER), undefined);
  const first = set(1);
  issuers.note(first);
  assert.equal(issuers.known(ISSUER), first);
  assert.deepEqual(asked, []);
  const answer = issuers.refresh(ISSUER);
  assert.deepEqual(asked, [{ question: 'issuer.keys', facts: { issuer: ISSUER, refresh: true } }]);
  const second = set(2);
  next().resolve(second);
  assert.equal(await answer, second);
  assert.equal(issuers.known(ISSUER), second);
});

test('all who ask at a time are one question; afterwards there may be another', async () => {
  const { link, asked, next } = heldLink();
  const issuers = createIssuers(link);
  const answers = Array.from({ length: 20 }, () => issuers.refresh(ISSUER));
  const elsewhere = issuers.refresh('https://other.example');
  assert.equal(asked.length, 2);
  next().resolve(set(1));
  assert.equal(new Set(await Promise.all(answers)).size, 1);
  next().reject(new StoreUnavailable('away'));
  await assert.rejects(elsewhere, StoreUnavailable);
  const again = issuers.refresh('https://other.example');
  assert.equal(asked.length, 3);
  next().resolve(set(2, 'https://other.example'));
  await again;
});

test('messages may cross: an older set never takes the place of a newer one', async () => {
  const { link, next } = heldLink();
  const issuers = createIssuers(link);
  const newer = set(5);
  const answer = issuers.refresh(ISSUER);
  issuers.note(newer);
  next().resolve(set(4));
  assert.equal(await answer, newer);
  issuers.note(set(3));
  issuers.note(set(5));
  assert.equal(issuers.known(ISSUER), newer, 'the same set stays the same object');
});

test('a reload forgets the issuers that went', () => {
  const issuers = createIssuers(heldLink().link);
  issuers.note(set(1));
  issuers.note(set(2, 'https://gone.example'));
  issuers.keep([ISSUER]);
  assert.notEqual(issuers.known(ISSUER), undefined);
  assert.equal(issuers.known('https://gone.example'), undefined);
});

test('opaque tokens are the control plane’s to ask about', async () => {
  const { link, asked, next } = heldLink();
  const answer = createIssuers(link).introspect(ISSUER, 'abc');
  assert.deepEqual(asked, [{ question: 'issuer.introspect', facts: { issuer: ISSUER, token: 'abc' } }]);
  next().resolve({ active: true });
  assert.deepEqual(await answer, { active: true });
});
