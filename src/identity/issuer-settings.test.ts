import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultIssuerSettings, issuerSettings } from './issuer-settings.ts';

const ISSUER = 'https://id.example';
const credentials = { clientId: 'gateway', clientSecret: 's' };

test('an issuer that is only named has the defaults that the docs give', () => {
  assert.deepEqual(defaultIssuerSettings(ISSUER), {
    issuer: ISSUER,
    allowPrivateAddresses: false,
    coolDown: 30_000,
    refreshEvery: 600_000,
  });
  assert.deepEqual(issuerSettings.parse({ issuer: ISSUER, introspection: credentials }).introspection, {
    ...credentials,
    remember: 1_000,
  });
});

test('durations are bounded: no flood, and no key that is trusted for days', () => {
  for (const [name, shortest, longest, beyond] of [
    ['coolDown', '1s', '1h', ['0s', '999ms', '61m']],
    ['refreshEvery', '30s', '24h', ['0s', '29s', '25h']],
  ] as const) {
    for (const good of [shortest, longest]) assert.ok(faults({ [name]: good }).length === 0, `${name}: ${good}`);
    for (const bad of beyond) assert.deepEqual(faults({ [name]: bad }), [name], `${name}: ${bad}`);
  }
  for (const remember of ['0s', '60s'])
    assert.deepEqual(faults({ introspection: { ...credentials, remember } }), [], remember);
  assert.deepEqual(faults({ introspection: { ...credentials, remember: '61s' } }), ['introspection.remember']);
});

test('an issuer is kept as it is written: issuers are compared character for character', () => {
  for (const issuer of [
    'https://id.example',
    'https://id.example/',
    'https://ID.example/Realms/main',
    'https://id.example:443',
  ])
    assert.equal(issuerSettings.parse({ issuer }).issuer, issuer);
});

test('what is no place to find an issuer at is a fault with a hint', () => {
  for (const issuer of ['http://localhost:4000', 'http://127.0.0.1', 'http://[::1]:80/x', 'https://10.0.0.1'])
    assert.deepEqual(faults({ issuer }), [], issuer);
  for (const issuer of [
    '',
    'id.example',
    '//id.example',
    'http://id.example',
    'http://10.0.0.1',
    'http://localhost.evil.example',
    'ftp://localhost',
    'javascript:alert(1)',
    'https://user@id.example',
    'https://user:word@id.example',
    'https://id.example?a=b',
    'https://id.example?',
    'https://id.example#a',
    'https://id.example#',
  ]) {
    for (const name of ['issuer', 'jwks']) assert.deepEqual(faults({ [name]: issuer }), [name], `${name}: ${issuer}`);
    const outcome = issuerSettings.safeParse({ issuer });
    assert.match(JSON.stringify(outcome.error?.issues), /"hint":"write /);
  }
});

test('misspelt and missing options are faults', () => {
  assert.deepEqual(faults({ cooldown: '30s' }), ['']);
  assert.deepEqual(faults({ introspection: { ...credentials, secret: 's' } }), ['introspection']);
  assert.deepEqual(faults({ introspection: { clientId: 'gateway' } }), ['introspection.clientSecret']);
  assert.deepEqual(faults({ introspection: { clientId: '', clientSecret: '' } }), [
    'introspection.clientId',
    'introspection.clientSecret',
  ]);
  assert.deepEqual(faults({ issuer: undefined }), ['issuer']);
});

/** The paths of what is wrong with these settings. */
function faults(settings: object): readonly string[] {
  const outcome = issuerSettings.safeParse({ issuer: ISSUER, ...settings });
  return outcome.success ? [] : outcome.error.issues.map(({ path }) => path.join('.'));
}
