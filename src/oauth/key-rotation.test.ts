import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProtectedHeader } from 'jose';
import { basic, post } from './test-flows.ts';
import { startTestServer, WIDGETS } from './test-server.ts';

const DAY = 86_400_000;

test('keys follow each other without a token refused: published before they sign, and until their last token has expired', async () => {
  let now = Date.now();
  const at = await startTestServer({
    clock: () => now,
    signing: { algorithms: ['ES256'], rotateAfter: 10 * DAY, verifiersKeep: DAY },
    resources: [{ ...WIDGETS, accessTokenTtl: 600 }],
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
