import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestHead } from '../../exchange.ts';
import type { HeaderList } from '../../lib/header-list.ts';
import { publicRoute, testExchange, upstreamReply } from '../test-exchange.ts';
import { securityHeadersConfig } from './config.ts';
import { securityHeadersPolicy } from './security-headers.ts';

test('a bare reply gets every default', () => {
  assert.deepEqual(secured({}, []).raw, [
    'Strict-Transport-Security',
    'max-age=31536000',
    'X-Content-Type-Options',
    'nosniff',
    'Referrer-Policy',
    'no-referrer',
    'Cross-Origin-Resource-Policy',
    'same-origin',
    'X-Frame-Options',
    'DENY',
    'Content-Security-Policy',
    "frame-ancestors 'none'",
  ]);
});

test('it is on where the file does not mention it, internal APIs included', () => {
  assert.equal(securityHeadersPolicy.onByDefault(publicRoute), true);
  assert.equal(securityHeadersPolicy.onByDefault({ ...publicRoute, exposure: 'internal' }), true);
});

test('Strict-Transport-Security is ours, whatever the upstream says', () => {
  const upstream = ['strict-transport-security', 'max-age=0', 'Strict-Transport-Security', 'max-age=1'];
  assert.deepEqual(secured({}, upstream).all('strict-transport-security'), ['max-age=31536000']);
  const all = { strictTransportSecurity: { maxAge: '730d', includeSubDomains: true, preload: true } };
  assert.equal(secured(all, upstream).get('strict-transport-security'), 'max-age=63072000; includeSubDomains; preload');
  const forget = { strictTransportSecurity: { maxAge: '0s' } };
  assert.equal(secured(forget, []).get('strict-transport-security'), 'max-age=0');
});

test('RFC 6797 §7.2: a reply over plain HTTP has no Strict-Transport-Security, not even the upstream’s', () => {
  const headers = secured({}, ['Strict-Transport-Security', 'max-age=1'], { scheme: 'http' });
  assert.equal(headers.has('strict-transport-security'), false);
});

test('localhost is never pinned to HTTPS: the pin would hold for all its ports', () => {
  for (const host of ['localhost', 'app.localhost']) {
    assert.equal(secured({}, [], { host }).has('strict-transport-security'), false, host);
  }
  assert.equal(secured({}, [], { host: 'notlocalhost' }).has('strict-transport-security'), true);
});

test('with Strict-Transport-Security off, the upstream has its say', () => {
  const headers = secured({ strictTransportSecurity: false }, ['Strict-Transport-Security', 'max-age=1']);
  assert.equal(headers.get('strict-transport-security'), 'max-age=1');
});

test('what the upstream says of itself stays', () => {
  const upstream = [
    'Referrer-Policy',
    'same-origin',
    'cross-origin-resource-policy',
    'cross-origin',
    'Content-Security-Policy',
    "default-src 'self'",
  ];
  const config = { contentSecurityPolicy: "default-src 'none'", permissionsPolicy: 'camera=()' };
  const headers = secured(config, upstream);
  assert.deepEqual(headers.all('referrer-policy'), ['same-origin']);
  assert.deepEqual(headers.all('cross-origin-resource-policy'), ['cross-origin']);
  assert.deepEqual(headers.all('content-security-policy'), ["default-src 'self'", "frame-ancestors 'none'"]);
  assert.deepEqual(headers.all('permissions-policy'), ['camera=()']);
});

test('X-Content-Type-Options has one meaning, so it is always ours', () => {
  assert.deepEqual(secured({}, ['x-content-type-options', 'sniff']).all('x-content-type-options'), ['nosniff']);
});

test('an upstream that decides about frames is not contradicted', () => {
  const decisions = [
    ['X-Frame-Options', 'SAMEORIGIN'],
    ['Content-Security-Policy', 'frame-ancestors https://partner.example'],
    ['Content-Security-Policy', "default-src 'self'; Frame-Ancestors 'self'"],
    ['Content-Security-Policy', "default-src 'self', frame-ancestors 'self'"],
  ];
  for (const decision of decisions) {
    const headers = secured({}, decision);
    const said = [...headers.all('x-frame-options'), ...headers.all('content-security-policy')];
    assert.deepEqual(said, [decision[1]]);
  }
});

test('a policy that only mentions frames decides nothing about them', () => {
  for (const policy of ["frame-src 'self'", 'report-uri /frame-ancestors', 'x-frame-ancestors none']) {
    assert.equal(secured({}, ['Content-Security-Policy', policy]).get('x-frame-options'), 'DENY', policy);
  }
  const reportOnly = ['Content-Security-Policy-Report-Only', "frame-ancestors 'self'"];
  assert.equal(secured({}, reportOnly).get('x-frame-options'), 'DENY');
});

test('a policy of the file that decides about frames is enough', () => {
  const headers = secured({ contentSecurityPolicy: "default-src 'none'; frame-ancestors 'self'" }, []);
  assert.equal(headers.has('x-frame-options'), false);
  assert.deepEqual(headers.all('content-security-policy'), ["default-src 'none'; frame-ancestors 'self'"]);
});

test('frames of the same origin can be allowed', () => {
  const headers = secured({ frameAncestors: 'self' }, []);
  assert.equal(headers.get('x-frame-options'), 'SAMEORIGIN');
  assert.equal(headers.get('content-security-policy'), "frame-ancestors 'self'");
});

test('fields that name the software behind are taken out, every one of them', () => {
  const upstream = [
    'Server',
    'a/1',
    'server',
    'b/2',
    'X-POWERED-BY',
    'c',
    'X-AspNet-Version',
    '4',
    'X-AspNetMvc-Version',
    '5',
  ];
  const headers = secured(OFF, [...upstream, 'X-Runtime', '0.1', 'X-Generator', 'd', 'Via', '1.1 e', 'ETag', '"f"']);
  assert.deepEqual(headers.raw, ['Via', '1.1 e', 'ETag', '"f"']);
});

test('what is hidden can be chosen', () => {
  assert.deepEqual(secured({ ...OFF, hideHeaders: ['X-Backend'] }, ['Server', 'a', 'x-backend', 'b']).raw, [
    'Server',
    'a',
  ]);
});

test('with everything off a reply passes as it is', () => {
  const upstream = ['Server', 'a', 'X-Content-Type-Options', 'sniff'];
  assert.deepEqual(secured({ ...OFF, hideHeaders: [] }, upstream).raw, upstream);
});

test('settings without sense are faults', () => {
  const faults: readonly object[] = [
    { strictTransportSecurity: true },
    { strictTransportSecurity: { preload: true } },
    { strictTransportSecurity: { preload: true, includeSubDomains: true, maxAge: '30d' } },
    { strictTransportSecurity: { maxAge: 31_536_000 } },
    { frameAncestors: 'https://partner.example' },
    { contentSecurityPolicy: "default-src 'none'\r\nX-Evil: 1" },
    { permissionsPolicy: 'caméra=()' },
    { contentSecurityPolicy: '' },
    { referrerPolicy: 'never' },
    { hideHeaders: ['X-*'] },
    { nosniff: true },
  ];
  for (const config of faults)
    assert.equal(securityHeadersConfig.safeParse(config).success, false, JSON.stringify(config));
});

const OFF = {
  strictTransportSecurity: false,
  noSniff: false,
  frameAncestors: false,
  referrerPolicy: false,
  crossOriginResourcePolicy: false,
};

/** The head of an upstream's reply after the policy. */
function secured(config: object, upstream: readonly string[], head: Partial<RequestHead> = {}): HeaderList {
  const reply = upstreamReply(200, upstream);
  const policy = securityHeadersPolicy.compile(securityHeadersConfig.parse(config), publicRoute);
  policy?.reply?.(testExchange(head), reply);
  return reply.headers;
}
