// @peculiar/x509 2 needs the Reflect metadata API to be there when it loads; acme-client brings and installs it.
import 'acme-client';
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { Name, X509CertificateGenerator } from '@peculiar/x509';
import type { ClientCertificate, RequestHead } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { publicRoute, testExchange } from '../test-exchange.ts';
import { clientCertificateMethod } from './client-certificate.ts';
import { clientCertificateConfig } from './config.ts';

describe('clientCertificate', () => {
  let partner: ClientCertificate;

  before(async () => {
    partner = await issued([{ C: ['DE'] }, { O: ['Example'] }, { CN: ['partner'] }]);
  });

  test('a certificate the listener verified names its caller', () => {
    const principal = ask({}, partner);
    const digits = partner.fingerprint256.replaceAll(':', '').toLowerCase();
    assert.deepEqual(principal, {
      id: 'certificate:C=DE, O=Example, CN=partner',
      kind: 'certificate',
      method: 'clientCertificate',
      issuer: undefined,
      subject: 'C=DE, O=Example, CN=partner',
      clientId: undefined,
      consumer: undefined,
      credentialId: digits,
      scopes: [],
      claims: {},
    });
  });

  test('no certificate, no TLS and one that was not verified are nobody', () => {
    const method = compiled({});
    assert.equal(method.authenticate(testExchange()), undefined);
    assert.equal(ask({}, undefined), undefined);
    assert.equal(ask({}, { ...partner, verified: false }), undefined);
    assert.equal(ask({ fingerprints: [partner.fingerprint256] }, { ...partner, verified: false }), undefined);
  });

  test('lists let in those they name, by subject or by fingerprint in any spelling', () => {
    const digits = partner.fingerprint256.replaceAll(':', '');
    for (const config of [
      { subjects: ['C=DE, O=Example, CN=partner'] },
      { fingerprints: [partner.fingerprint256] },
      { fingerprints: [digits.toLowerCase()] },
      { subjects: ['CN=other'], fingerprints: [digits] },
    ])
      assert.equal(Object(ask(config, partner)).kind, 'certificate', JSON.stringify(config));
    for (const config of [
      { subjects: ['CN=partner'] },
      { subjects: ['C=DE, O=Example, CN=Partner'] },
      { fingerprints: ['00'.repeat(32)] },
    ])
      assert.equal(ask(config, partner), undefined, JSON.stringify(config));
  });

  test('where nothing else would do, a certificate that is missing and one that is not listed are told apart', () => {
    const method = compiled({ subjects: ['CN=other'] });
    const refusal = (certificate: ClientCertificate | undefined) => method.forbid?.(connected(certificate));
    assert.equal(refusal(undefined)?.code, 'certificate-required');
    assert.equal(refusal({ ...partner, verified: false })?.code, 'certificate-required');
    assert.equal(refusal(partner)?.code, 'forbidden');
  });

  test('attack 58: what a page of another site has a browser send is nobody, unless another alternative lets it in', () => {
    const method = compiled({});
    const post = { method: 'POST' } as const;
    const socket = { upgrade: 'websocket' } as const;
    const outcome = (headers: Readonly<Record<string, string>>, head: Partial<RequestHead>): string => {
      const exchange = connected(partner, { headers: new HeaderList(Object.entries(headers).flat()), ...head });
      return method.authenticate(exchange) === undefined ? (method.unclaimed?.(exchange)?.code ?? 'nobody') : 'in';
    };
    const own = 'https://api.example.com';
    const evil = 'https://evil.example';
    for (const [headers, head] of [
      [{ 'Sec-Fetch-Site': 'cross-site', Origin: evil }, post],
      [{ 'Sec-Fetch-Site': 'same-site', Origin: 'https://other.example.com' }, post],
      [{ 'Sec-Fetch-Site': 'cross-site' }, { method: 'DELETE' }],
      [{ 'Sec-Fetch-Site': 'same-origin', Origin: evil }, post],
      [{ Origin: evil }, post],
      [{ Origin: 'null' }, post],
      [{ Origin: 'http://api.example.com' }, post],
      [{ Origin: evil }, socket],
      [{ 'Sec-Fetch-Site': 'cross-site', Origin: evil }, socket],
    ] satisfies [Readonly<Record<string, string>>, Partial<RequestHead>][])
      assert.equal(outcome(headers, head), 'cross-site-request', JSON.stringify([headers, head]));
    for (const [headers, head] of [
      [{}, post], // a program
      [{}, socket],
      [{ Origin: own }, post],
      [{ 'Sec-Fetch-Site': 'same-origin', Origin: own }, post],
      [{ 'Sec-Fetch-Site': 'same-origin', Origin: own }, socket],
      [{ 'Sec-Fetch-Site': 'none' }, post],
      [{ 'Sec-Fetch-Site': 'cross-site' }, {}], // a link; what it answers stays hidden from the page
    ] satisfies [Readonly<Record<string, string>>, Partial<RequestHead>][])
      assert.equal(outcome(headers, head), 'in', JSON.stringify([headers, head]));
    const foreign = { ...post, headers: new HeaderList(['Origin', evil]) };
    assert.equal(method.unclaimed?.(connected(undefined, foreign)), undefined);
    assert.equal(compiled({ subjects: ['CN=other'] }).unclaimed?.(connected(partner, foreign)), undefined);
  });

  test('a part that looks like several is no other subject', async () => {
    const forged = await issued([{ C: ['DE'] }, { O: ['Example, CN=partner'] }]);
    const broken = await issued([{ C: ['DE'] }, { O: ['Example\nCN=partner'] }]);
    for (const certificate of [forged, broken])
      assert.equal(ask({ subjects: ['C=DE, O=Example, CN=partner'] }, certificate), undefined);
  });

  test('lists that could not be meant are faults', () => {
    for (const config of [{ subjects: [] }, { fingerprints: [] }, { fingerprints: ['abc'] }, { names: ['a'] }])
      assert.equal(clientCertificateConfig.safeParse(config).success, false, JSON.stringify(config));
  });
});

function compiled(config: object) {
  return clientCertificateMethod.compile(clientCertificateConfig.parse(config), publicRoute);
}

function ask(config: object, clientCertificate: ClientCertificate | undefined) {
  return compiled(config).authenticate(connected(clientCertificate));
}

function connected(clientCertificate: ClientCertificate | undefined, head: Partial<RequestHead> = {}) {
  const tls = { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', servername: undefined, clientCertificate };
  return testExchange({ tls, ...head });
}

/** A real certificate, told of as the listener tells it. */
async function issued(name: Record<string, string[]>[]): Promise<ClientCertificate> {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  const { rawData } = await X509CertificateGenerator.createSelfSigned({
    name: new Name(name).toString(),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  const raw = new Uint8Array(rawData);
  const { fingerprint256, subject } = new X509Certificate(raw);
  return { fingerprint256, subject, verified: true, raw };
}
