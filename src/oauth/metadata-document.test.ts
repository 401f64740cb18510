import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, mock, test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { createAuthority, issueCertificate, type PemPair } from '../certificates/issue-certificate.ts';
import { authorize, basic, CALLBACK, discover, exchange, post } from './test-flows.ts';
import { startTestServer, type TestServer } from './test-server.ts';

describe('Client ID Metadata Documents', () => {
  let at: TestServer;
  let authority: PemPair;
  let documents: Server;
  let base: string;
  let asked: string[];
  let isAway = false;

  before(async () => {
    const now = Date.now();
    authority = await createAuthority(now);
    const ca = { cert: authority.cert, key: createPrivateKey(authority.key), notAfter: new Date(now + 86_400_000) };
    const pair = await issueCertificate({ ca, names: ['127.0.0.1'], now });
    documents = createServer(pair, (req, res) => {
      asked.push(req.url ?? '');
      const id = `${base}${req.url}`;
      const document = {
        client_id: id,
        client_name: 'Elsewhere',
        redirect_uris: [CALLBACK],
        token_endpoint_auth_method: 'none',
      };
      if (req.url === '/redirect') return void res.writeHead(302, { location: `${base}/app` }).end();
      if (req.url === '/slow') return void res.writeHead(200).write('{');
      if (req.url === '/secret') Object.assign(document, { client_secret: 'x' });
      if (req.url === '/lies') Object.assign(document, { client_id: `${base}/app` });
      if (req.url === '/huge') Object.assign(document, { padding: 'x'.repeat(6_000) });
      if (req.url === '/wildcard') Object.assign(document, { redirect_uris: ['https://*.example.com'] });
      if (req.url === '/vouched') Object.assign(document, { sallyport_source: 'config' });
      res.writeHead(isAway || req.url?.startsWith('/missing') ? 404 : 200, { 'content-type': 'application/json' });
      res.end(req.url === '/broken' ? '{' : JSON.stringify(document));
    });
    documents.listen(0, '127.0.0.1');
    await once(documents, 'listening');
    // A listening server over TCP has such an address.
    base = `https://127.0.0.1:${(documents.address() as AddressInfo).port}`;
  });
  beforeEach(async () => {
    asked = [];
  });
  after(() => {
    documents.closeAllConnections();
    documents.close();
  });

  async function start(privateNetworks: readonly string[], perAddress = 100): Promise<TestServer> {
    return await startTestServer({
      features: { clientIdMetadataDocuments: { perAddress } },
      privateNetworks,
      certificateAuthorities: authority.cert,
    });
  }

  async function refusal(id: string): Promise<string> {
    const { visit } = await authorize(at, { clientId: id });
    assert.equal(visit.away, undefined, id);
    return visit.body;
  }

  describe('where the network is allowed', () => {
    before(async () => {
      at = await start(['127.0.0.0/8']);
    });
    after(() => at.close());

    test('a client is who its document says, and is fetched once', async () => {
      const client = { client_id: `${base}/app` };
      const metadata = await discover(at);
      assert.equal(metadata['client_id_metadata_document_supported'], true);
      for (let round = 0; round < 2; round += 1) {
        const authorized = await authorize(at, { clientId: client.client_id });
        const tokens = await exchange({ ...authorized, metadata, client, auth: oauth.None() });
        assert.equal(tokens.scope, 'widgets:read');
      }
      assert.deepEqual(asked, ['/app']);
      assert.deepEqual(at.faults, []);
    });

    test('attack 44: what cannot be fetched, whatever the reason, is refused in one wording', async () => {
      const wordings = new Set<string>();
      for (const path of ['/redirect', '/slow', '/missing', '/huge', '/broken'])
        wordings.add(await refusal(`${base}${path}`));
      assert.equal(wordings.size, 1, [...wordings].join('\n'));
      assert.ok(!asked.includes('/app'));
    });

    test('a document may not lie, hold a secret or lead elsewhere', async () => {
      for (const path of ['/lies', '/secret', '/wildcard'])
        assert.match(await refusal(`${base}${path}`), /^error invalid_/);
    });
  });

  describe('where it is not', () => {
    before(async () => {
      at = await start([]);
    });
    after(() => at.close());

    test('attack 44: nothing private is reached, by whatever name, and the answer does not tell what is there', async () => {
      const { port } = new URL(base);
      const wordings = new Set<string>();
      for (const host of [
        '127.0.0.1',
        'localhost',
        '0.0.0.0',
        '[::1]',
        '[::ffff:127.0.0.1]',
        '[::ffff:7f00:1]',
        '2130706433',
        '0x7f.1',
        '127.1',
        '10.0.0.1',
        '169.254.169.254',
        '192.168.1.1',
        '[fd00::1]',
        '[fe80::1]',
      ]) {
        wordings.add(await refusal(`https://${host}:${port}/app`));
      }
      wordings.add(await refusal('https://no-such-host.invalid/app'));
      assert.equal(wordings.size, 1, [...wordings].join('\n'));
      assert.deepEqual(asked, []);
    });

    test('other schemes and odd URLs are no clients', async () => {
      for (const id of [
        'http://127.0.0.1/app',
        'file:///etc/passwd',
        'https://user@app.example.com/app',
        'https://app.example.com/a/../b',
        'https://app.example.com/app#x',
      ]) {
        assert.match(await refusal(id), /^error invalid_client/);
      }
      assert.deepEqual(asked, []);
    });
  });

  test('one address may have only so many fetched', async () => {
    at = await start(['127.0.0.0/8'], 2);
    try {
      for (let round = 0; round < 4; round += 1) await refusal(`${base}/missing${round}`);
      assert.equal(asked.length, 2);
    } finally {
      await at.close();
    }
  });

  test('the server of an API learns of a token whose client is a document, however much was fetched', async () => {
    at = await start(['127.0.0.0/8'], 1);
    // The same server with documents switched off.
    const without = await startTestServer({ issuer: at.issuer, records: at.records });
    const now = Date.now();
    mock.timers.enable({ apis: ['Date'], now });
    try {
      const api = await at.register({ name: 'API' });
      const client = { client_id: `${base}/app` };
      const authorized = await authorize(at, { clientId: client.client_id });
      const tokens = await exchange({ ...authorized, metadata: await discover(at), client, auth: oauth.None() });
      const introspect = async (server: TestServer) =>
        await post(`${server.issuer}/introspect`, { token: tokens.access_token }, basic(api));
      // Its document is kept for a minute, and so long is what an address had fetched.
      mock.timers.setTime(now + 90_000);
      await refusal(`${base}/missing`);
      assert.equal((await introspect(at)).body['active'], true);
      assert.deepEqual(asked, ['/app', '/missing', '/app']);
      mock.timers.setTime(now + 180_000);
      isAway = true;
      for (const server of [at, without]) {
        assert.deepEqual(await introspect(server), { status: 200, body: { active: false } });
      }
      assert.deepEqual([...at.faults, ...without.faults], []);
    } finally {
      isAway = false;
      mock.timers.reset();
      await without.close();
      await at.close();
    }
  });
});
