import assert from 'node:assert/strict';
import { test } from 'node:test';
import { securityFindings } from './findings.ts';
import { loadConfig } from './load.ts';

test('a review asks about each way in that is wider than it had to be', async () => {
  assert.deepEqual(await found(risky), [
    'high literal-secret stores.records.postgres.url',
    'medium encryption-key-of-one-machine stores.encryptionKeys',
    'medium plain-text-store stores.counters.valkey.url',
    'medium open-registration authorizationServer.registration.access',
    'high clients-look-inside authorizationServer.privateNetworks[1]',
    'low long-session logins.web.lifetime',
    'medium any-client-administers admin.authenticate[0]',
    'high any-certificate-administers admin.authenticate[1]',
    'medium any-session-administers admin.authenticate[2]',
    'medium key-in-query apis[0].authenticate[1].apiKey.in',
    'low untyped-tokens apis[0].routes[0].authenticate[0].oauth.acceptPlainJwt',
  ]);
});

test('and has nothing to say where it is narrow', async () => {
  assert.deepEqual(await found(careful), []);
});

async function found(text: string): Promise<readonly string[]> {
  const readFile = async (path: string) => (path.endsWith('.pem') ? Buffer.from(CA) : Buffer.from(text));
  const env = { SECRET: 'a-secret-of-forty-or-so-random-characters', KEY: 'A'.repeat(43), URL: 'postgres://a:b@db/c' };
  const loaded = await loadConfig('/nowhere/sallyport.yaml', { env, dev: false, readFile });
  assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.faults));
  return securityFindings(loaded.config, loaded.literalSecrets).map(
    ({ severity, code, path }) => `${severity} ${code} ${path}`,
  );
}

const listeners = `
listeners:
  - { name: public, address: 127.0.0.1:8443 }
  - { name: internal, exposure: internal, address: 127.0.0.1:9443, tls: { clientCa: ./ca.pem } }
`;

const risky = `${listeners}
stores:
  records: { postgres: { url: 'postgres://gateway:hunter22@db.example.com/sallyport' } }
  counters: { valkey: { url: 'redis://valkey.example.com' } }
authorizationServer:
  issuer: https://localhost:8443/oauth
  registration: { access: open }
  privateNetworks: [10.0.0.0/8, 0.0.0.0/0]
logins: { web: { clientId: app, clientSecret: '\${env:SECRET}', lifetime: 20d } }
admin: { authenticate: [{ oauth: { audience: 'https://localhost/admin' } }, { clientCertificate: {} }, { login: { use: web } }] }
apis:
  - name: widgets
    path: /v1
    upstream: http://127.0.0.1:1
    authenticate: [{ oauth: { audience: 'https://localhost/v1' } }, { apiKey: { in: query } }]
    routes:
      - match: GET /old
        authenticate: [{ oauth: { issuer: 'https://id.example.com', audience: a, acceptPlainJwt: true } }]
`;

const careful = `${listeners}
stores:
  records: { postgres: { url: '\${env:URL}' } }
  counters: { valkey: { url: 'redis://127.0.0.1' } }
  encryptionKeys: ['\${env:KEY}']
authorizationServer:
  issuer: https://localhost:8443/oauth
  registration: { initialAccessToken: '\${env:SECRET}' }
logins: { web: { clientId: app, clientSecret: '\${env:SECRET}' } }
admin:
  authenticate: [{ oauth: { audience: 'https://localhost/admin' } }, { clientCertificate: { subjects: [CN=ops] } }]
  allowedClients: [console]
apis:
  - name: widgets
    path: /v1
    upstream: http://127.0.0.1:1
    authenticate: [{ oauth: { audience: 'https://localhost/v1' } }, { apiKey: {} }, { login: { use: web } }]
`;

const CA = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
