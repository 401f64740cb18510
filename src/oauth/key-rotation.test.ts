import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { signingAlgorithms } from '../identity/make-signing-key.ts';
import { createSigningKeys } from '../identity/signing-keys.ts';
import { basic, post } from './test-flows.ts';
import { startTestServer, WIDGETS } from './test-server.ts';

const DAY = 86_400_000;

test('keys follow each other without a token refused: published before they sign, and until their last token has expired', async () => {
  let now = Date.now();
  const at = await startTestServer({
    clock: () => now,
    signing: { algorithms: ['ES256'], rotateAfter: 10 * DAY, verifiersKeep: DAY },
    resources: [WIDGETS],
  });
  try {
    const client = await at.register({ name: 'Client' });
    const issue = async () => {
      const { body } = await post(
        `${at.issuer}/token`,
        { grant_type: 'client_credentials', scope: 'widgets:read' },
        basic(client),
      );
      return String(body['access_token']);
    };
    const published = async () => {
      const response = await fetch(`${at.issuer}/jwks`);
      assert.match(String(response.headers.get('cache-control')), /max-age/);
      const { keys } = (await response.json()) as { keys: { kid: string; d?: string }[] }; // a JWK set
      assert.ok(keys.every((key) => key.d === undefined));
      return keys.map(({ kid }) => kid);
    };
    const active = async (token: string) =>
      (await post(`${at.issuer}/introspect`, { token }, basic(client))).body['active'];

    const { kid: firstKid = '' } = decodeProtectedHeader(await issue());
    assert.deepEqual(await published(), [firstKid]);

    now += 9 * DAY;
    await at.server.refreshKeys();
    const [signing, next = '', ...others] = await published();
    assert.equal(signing, firstKid);
    assert.deepEqual(others, []);
    const old = await issue();
    assert.equal(decodeProtectedHeader(old).kid, firstKid);

    // Its time is known to every process, which needs no news to go by it.
    now += DAY + 3_600_000;
    assert.equal(decodeProtectedHeader(await issue()).kid, next);
    await at.server.refreshKeys();
    const fresh = await issue();
    assert.equal(decodeProtectedHeader(fresh).kid, next);
    assert.deepEqual(await published(), [next, firstKid]);
    assert.equal(await active(old), true);
    assert.equal(await active(fresh), true);

    now += 2 * DAY;
    await at.server.refreshKeys();
    assert.deepEqual(await published(), [next]);
    assert.equal(await active(fresh), true);
    assert.equal(await active(old), false);
    const { items } = await at.records.audit.list({ subject: `signing-key:${firstKid}` }, { limit: 10 });
    assert.deepEqual(
      items.map(({ type }) => type),
      ['signing-key.removed', 'signing-key.retired', 'signing-key.created'],
    );
  } finally {
    await at.close();
  }
});

test('processes that share the records sign with the same keys, made once, and know each other’s tokens', async () => {
  const at = await startTestServer();
  const options = {
    records: at.records,
    use: 'oauth',
    algorithms: ['RS256', 'ES256'],
    rotateAfter: 30 * DAY,
    overlap: DAY,
    onChange() {},
  } as const;
  const others = [
    createSigningKeys(options),
    createSigningKeys(options),
    createSigningKeys({ ...options, use: 'identity' }),
  ];
  try {
    await Promise.all(others.map((keys) => keys.start()));
    const [one, two, identity] = others.map((keys) =>
      keys
        .published()
        .keys.map(({ kid }) => kid)
        .sort(),
    );
    assert.deepEqual(
      one,
      at.server
        .jwks()
        .keys.map(({ kid }) => kid)
        .sort(),
    );
    assert.deepEqual(one, two);
    assert.equal(identity?.length, 2);
    assert.ok(identity.every((kid) => !one?.includes(kid)));
    const { items } = await at.records.audit.list({ type: 'signing-key.created' }, { limit: 10 });
    assert.equal(items.length, 4);
  } finally {
    for (const keys of others) keys.close();
    await at.close();
  }
});

test('keys that would leave verifiers no time are refused', () => {
  const records = { signingKeys: { list: () => Promise.resolve([]), rotate: () => Promise.resolve([]) } };
  const options = { records, use: 'oauth', algorithms: ['ES256'], onChange() {} } as const;
  assert.throws(() => createSigningKeys({ ...options, rotateAfter: DAY, overlap: DAY }), RangeError);
});

for (const algorithm of signingAlgorithms) {
  test(`tokens signed with ${algorithm} verify with what is published`, async () => {
    const at = await startTestServer({ signing: { algorithms: [algorithm] } });
    try {
      const client = await at.register({ name: 'Client' });
      const form = { grant_type: 'client_credentials', scope: 'widgets:read' };
      const { body } = await post(`${at.issuer}/token`, form, basic(client));
      const keys = createLocalJWKSet(at.server.jwks());
      const { protectedHeader } = await jwtVerify(String(body['access_token']), keys, { audience: WIDGETS.audience });
      assert.equal(protectedHeader.alg, algorithm);
      assert.equal(protectedHeader.typ, 'at+jwt');
    } finally {
      await at.close();
    }
  });
}
