import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { createTestAuthority, type PemPair } from '../support/certificate-authority.ts';
import { FORGED_AUDIENCE, type ForgingIssuer, startForgingIssuer } from '../support/forging-issuer.ts';
import { freePort, startGateway, type TestGateway } from '../support/gateway.ts';
import { devCaOf } from '../support/gateway-under-attack.ts';
import { ask } from '../support/http-client.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** Attack case 41, and the part of 57 that concerns tokens: one that is bound opens nothing in the hands of who copied it. */
describe('attacks with tokens that are bound', { timeout: 60_000 }, () => {
  let issuer: ForgingIssuer;
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: number;
  let partner: PemPair;
  let thief: PemPair;

  before(async () => {
    issuer = await startForgingIssuer();
    upstream = await startUpstream();
    port = await freePort();
    const authority = await createTestAuthority();
    [partner, thief] = [await authority.issue('partner'), await authority.issue('thief')];
    const oauth = `issuer: '${issuer.url}', audience: '${FORGED_AUDIENCE}'`;
    gateway = await startGateway(`
listeners: [{ name: public, address: 127.0.0.1:${port}, tls: { clientCertificates: requested } }]
workers: 2
apis:
  - { name: strict, path: /strict, upstream: '${upstream.url}', authenticate: [{ oauth: { ${oauth} } }] }
  - { name: bound, path: /bound, upstream: '${upstream.url}', authenticate: [{ oauth: { ${oauth}, senderConstrained: require } }] }
`);
  });

  after(async () => {
    await gateway?.stop();
    await Promise.all([issuer?.close(), upstream?.close()]);
  });

  async function call(path: string, fields: Readonly<Record<string, string>>, certificate?: PemPair): Promise<number> {
    const headers = { Host: `localhost:${port}`, ...fields };
    return (await ask({ port, ca: devCaOf(gateway), path, headers, ...(certificate && { certificate }) })).status;
  }

  it('41: to a certificate are of no use without it, or with another', async () => {
    const der = Buffer.from(partner.cert.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
    const token = await issuer.token({ cnf: { 'x5t#S256': hash('sha256', der, 'base64url') } });
    const fields = { Authorization: `Bearer ${token}` };
    assert.equal(await call('/bound', fields, partner), 200);
    for (const path of ['/strict', '/bound']) {
      assert.equal(await call(path, fields), 401, 'no certificate');
      assert.equal(await call(path, fields, thief), 401, 'another certificate');
      const claimed = { ...fields, 'Client-Cert': `:${der.toString('base64')}:`, 'X-Client-Cert-Verified': '?1' };
      assert.equal(await call(path, claimed), 401, 'a certificate that is only claimed');
    }
  });

  it('41: to a key need a fresh proof of it for this very request, once', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const token = await issuer.token({ cnf: { jkt: await calculateJwkThumbprint(jwk) } });
    const now = Math.floor(Date.now() / 1_000);
    let made = 0;
    const proof = (claims: object = {}, header: object = {}, key = privateKey) => {
      made += 1;
      const ath = hash('sha256', token, 'base64url');
      const htu = `https://localhost:${port}/bound/x`;
      return new SignJWT({ jti: `proof-${made}`, htm: 'GET', htu, iat: now, ath, ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
        .sign(key);
    };
    const send = (dpop?: string, scheme = 'DPoP') =>
      call('/bound/x', { Authorization: `${scheme} ${token}`, ...(dpop !== undefined && { DPoP: dpop }) });

    const used = await proof();
    assert.equal(await send(used), 200);
    // Over both workers: each call has a connection of its own.
    for (let round = 0; round < 6; round += 1) assert.equal(await send(used), 401, 'replayed');
    const another = await generateKeyPair('ES256', { extractable: true });
    const bad: readonly (readonly [string, string | undefined, string?])[] = [
      ['no proof', undefined],
      ['as a bearer token', await proof(), 'Bearer'],
      ['as a bearer token without a proof', undefined, 'Bearer'],
      ['another key’s', await proof({}, { jwk: await exportJWK(another.publicKey) }, another.privateKey)],
      ['the key in it, signed by another', await proof({}, {}, another.privateKey)],
      ['for another method', await proof({ htm: 'POST' })],
      ['for another path', await proof({ htu: `https://localhost:${port}/bound/y` })],
      ['for another host', await proof({ htu: 'https://api.example.com/bound/x' })],
      ['for another scheme', await proof({ htu: `http://localhost:${port}/bound/x` })],
      ['for another token', await proof({ ath: hash('sha256', 'another', 'base64url') })],
      ['for no token', await proof({ ath: undefined })],
      ['of an hour ago', await proof({ iat: now - 3_600 })],
      ['of the future', await proof({ iat: now + 3_600 })],
      ['without an id', await proof({ jti: undefined })],
      ['of another type', await proof({}, { typ: 'JWT' })],
      ['with the private key in it', await proof({}, { jwk: await exportJWK(privateKey) })],
      ['garbage', 'a.b.c'],
    ];
    for (const [what, dpop, scheme] of bad) assert.equal(await send(dpop, scheme), 401, what);
    assert.equal(await send(await proof()), 200);
  });
});
