import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { faultLine, faultsToJson, renderFaults } from './faults.ts';
import { type LoadOptions, type LoadResult, loadConfig } from './load.ts';

const LISTENERS = 'listeners: [{ name: public, address: "127.0.0.1:8443" }]';
const APIS = 'apis: [{ name: widgets, upstream: "http://127.0.0.1:4000", authenticate: none }]';
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const KEY = '-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-config-'));
});
after(() => rm(folder, { recursive: true }));

/** Loads a text as if it were a file in a folder with the other files. */
async function load(
  text: string,
  options: Partial<LoadOptions> & { files?: Record<string, string> } = {},
): Promise<LoadResult> {
  const files: Record<string, string> = { '/etc/sallyport/sallyport.yaml': text, ...options.files };
  return loadConfig('/etc/sallyport/sallyport.yaml', {
    env: options.env ?? {},
    dev: options.dev ?? false,
    readFile: async (path) => {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error('absent'), { code: 'ENOENT' });
      return new TextEncoder().encode(content);
    },
  });
}

async function loaded(text: string, options: Parameters<typeof load>[1] = {}) {
  const result = await load(text, options);
  assert.ok(result.ok, result.ok ? '' : renderFaults('sallyport.yaml', result.faults));
  return result;
}

async function faultsOf(text: string, options: Parameters<typeof load>[1] = {}) {
  const result = await load(text, options);
  assert.ok(!result.ok, 'the file loads');
  return result.faults;
}

test('a short file gets safe defaults, in milliseconds and bytes', async () => {
  const { config, warnings, files } = await loaded(`${LISTENERS}\n${APIS}\n`);
  const listener = config.listeners[0];
  assert.deepEqual(listener?.address, { host: '127.0.0.1', port: 8443 });
  assert.equal(listener.exposure, 'public');
  assert.deepEqual(listener.tls, { certificates: [], minVersion: 'TLSv1.2' });
  assert.equal(listener.limits.headerBytes, 16_384);
  assert.equal(listener.limits.headerTimeout, 10_000);
  assert.deepEqual(listener.trustedProxies, []);
  assert.equal(config.drain, 30_000);
  assert.equal(config.tracing, undefined);
  assert.equal(config.dataDir, '/etc/sallyport/.sallyport');
  for (const name of ['access_token', 'code_verifier', 'user_code']) assert.ok(config.log.redactQuery.includes(name));
  assert.deepEqual(config.apis[0]?.listeners, ['public']);
  assert.deepEqual(config.apis[0]?.hosts, []);
  assert.equal(config.apis[0]?.path, '/');
  assert.deepEqual([warnings.length, files], [0, ['/etc/sallyport/sallyport.yaml']]);
  assert.ok(Object.isFrozen(config.listeners[0]?.limits));
});

test('an API uses the named upstream, its own, or one target, and a route may use another', async () => {
  const { config } = await loaded(`
${LISTENERS}
upstreams: { shared: { targets: ["HTTP://10.0.0.1:80/", "unix:/run/app.sock"], timeouts: { connect: 2s } } }
apis:
  - { name: a, path: /a, upstream: shared, authenticate: none }
  - { name: b, path: /b, upstream: { targets: ["https://b.internal"] }, authenticate: none }
  - name: c
    path: /c
    upstream: http://[::1]:4000
    authenticate: none
    routes: [{ match: GET /x, upstream: shared }, { match: GET /y }, { match: GET /z, upstream: "http://127.0.0.1:9" }]
`);
  const targets = (name: string | undefined) => config.upstreams[name ?? '']?.targets;
  assert.deepEqual(targets(config.apis[0]?.upstream), ['http://10.0.0.1', 'unix:/run/app.sock']);
  assert.equal(config.upstreams['shared']?.timeouts.connect, 2000);
  assert.equal(config.upstreams['shared']?.timeouts.head, 30_000);
  assert.deepEqual(targets(config.apis[1]?.upstream), ['https://b.internal']);
  assert.deepEqual(targets(config.apis[2]?.upstream), ['http://[::1]:4000']);
  const [x, y, z] = config.apis[2]?.routes ?? [];
  assert.equal(x?.upstream, 'shared');
  assert.equal(y?.upstream, config.apis[2]?.upstream);
  assert.deepEqual(targets(z?.upstream), ['http://127.0.0.1:9']);
  assert.deepEqual([x?.name, x?.match], ['GET /x', { methods: ['GET'], path: '/x' }]);
});

test('policies are parsed at their place; a route has its own word only', async () => {
  const { config } = await loaded(`
${LISTENERS}
apis:
  - name: a
    upstream: http://127.0.0.1:4000
    authenticate: none
    cors: { origins: ["https://app.example.com"] }
    errorMasking: false
    routes: [{ match: GET /x, cors: false }, { match: GET /y }]
`);
  const api = config.apis[0];
  assert.deepEqual(Object.keys(api?.policies ?? {}).sort(), ['authenticate', 'cors', 'errorMasking']);
  assert.equal(api?.policies['errorMasking'], false);
  assert.deepEqual(api?.routes[0]?.policies, { cors: false });
  assert.deepEqual(api?.routes[1]?.policies, {});
});

test('references come from the environment and from files, and are remembered as secrets', async () => {
  const text = `
${LISTENERS}
workers: \${env:WORKERS}
log: { access: "\${env:ACCESS:-false}", level: "\${env:EMPTY:-warn}" }
tracing:
  otlp:
    endpoint: https://\${env:HOST}/v1/traces
    headers: { authorization: "\${file:./token}", x-plain: "$\${env:HOST}", x-two: "\${env:HOST}/\${file:/etc/sallyport/token}" }
${APIS}
`;
  const result = await loaded(text, {
    env: { WORKERS: '3', HOST: 'collector.example.com', EMPTY: '' },
    files: { '/etc/sallyport/token': 'Bearer abc\n' },
  });
  assert.equal(result.config.workers, 3);
  assert.equal(result.config.log.access, false);
  assert.equal(result.config.log.level, 'warn');
  assert.equal(result.config.tracing?.otlp.endpoint, 'https://collector.example.com/v1/traces');
  assert.deepEqual(result.config.tracing?.otlp.headers, {
    authorization: 'Bearer abc',
    'x-plain': `$${'{env:HOST}'}`,
    'x-two': 'collector.example.com/Bearer abc',
  });
  assert.deepEqual(result.files, ['/etc/sallyport/sallyport.yaml', '/etc/sallyport/token']);
  assert.ok(result.secretPaths.has('tracing.otlp.headers.authorization'));
  assert.ok(result.secretPaths.has('workers'));
  assert.ok(!result.secretPaths.has('tracing.otlp.headers.x-plain'));
  assert.deepEqual(result.literalSecrets, ['tracing.otlp.headers.x-plain']);
});

test('a variable that objects inherit is not set', async () => {
  const faults = await faultsOf(`${LISTENERS}\n${APIS}\ndataDir: "\${env:toString}"\n`);
  assert.match(faults[0]?.message ?? '', /toString is not set/);
});

test('certificate files are read, made absolute and handed on', async () => {
  const text = `
listeners:
  - name: public
    address: 0.0.0.0:8443
    tls: { certificates: [{ cert: a.pem, key: keys/a.key }], clientCa: /ca.pem }
upstreams: { w: { targets: ["https://w"], tls: { ca: ca.pem, cert: c.pem, key: c.key, servername: x.example } } }
apis: [{ name: widgets, upstream: w, authenticate: none }]
`;
  const files = {
    '/etc/sallyport/a.pem': CERTIFICATE,
    '/etc/sallyport/keys/a.key': KEY,
    '/ca.pem': CERTIFICATE,
    '/etc/sallyport/ca.pem': CERTIFICATE,
    '/etc/sallyport/c.pem': CERTIFICATE,
    '/etc/sallyport/c.key': KEY,
  };
  const result = await loaded(text, { files });
  const tls = result.config.listeners[0]?.tls;
  assert.ok(tls !== undefined && tls !== 'none');
  assert.deepEqual(tls.certificates, [{ cert: '/etc/sallyport/a.pem', key: '/etc/sallyport/keys/a.key' }]);
  assert.equal(tls.clientCa, '/ca.pem');
  assert.equal(result.config.upstreams['w']?.tls?.ca, '/etc/sallyport/ca.pem');
  assert.deepEqual([...result.contents.keys()].sort(), Object.keys(files).sort());
  assert.equal(result.contents.get('/ca.pem'), CERTIFICATE);

  const encrypted = { ...files, '/etc/sallyport/c.key': '-----BEGIN ENCRYPTED PRIVATE KEY-----\n' };
  const faults = await faultsOf(text, { files: encrypted });
  assert.equal(faults[0]?.path, 'upstreams.w.tls.key');
});

test('plain text is for loopback, internal listeners and --dev', async () => {
  const listener = (address: string, exposure = 'public') =>
    `listeners: [{ name: x, address: "${address}", exposure: ${exposure}, tls: none }]\n${APIS.replace('authenticate', `exposure: ${exposure}, authenticate`)}`;
  assert.equal((await faultsOf(listener('0.0.0.0:80')))[0]?.path, 'listeners[0].tls');
  assert.equal((await faultsOf(listener('[::]:80')))[0]?.path, 'listeners[0].tls');
  await loaded(listener('0.0.0.0:80'), { dev: true });
  await loaded(listener('127.0.0.1:80'));
  await loaded(listener('[::1]:80'));
  await loaded(listener('0.0.0.0:80', 'internal'));
});

test('an internal API need not say who may call it, and goes to internal listeners only', async () => {
  const { config } = await loaded(`
listeners:
  - { name: public, address: "127.0.0.1:8443" }
  - { name: internal, exposure: internal, address: "127.0.0.1:9443" }
apis:
  - { name: open, upstream: "http://127.0.0.1:1", authenticate: none }
  - { name: closed, exposure: internal, upstream: "http://127.0.0.1:1" }
`);
  assert.deepEqual(
    config.apis.map((api) => api.listeners),
    [['public'], ['internal']],
  );
});

test('what works but is hardly meant is a warning with its line', async () => {
  const { warnings } = await loaded(`
listeners:
  - { name: public, address: "127.0.0.1:8443", trustedProxies: ["0.0.0.0/0"] }
  - { name: idle, address: "127.0.0.1:8444" }
upstreams: { unused: { targets: ["http://127.0.0.1:1"] } }
apis:
  - { name: a, listeners: [public], upstream: "http://127.0.0.1:1", authenticate: none, routes: [{ match: "GET /b/*" }] }
  - { name: b, listeners: [public], path: /b, upstream: "http://127.0.0.1:1", authenticate: none }
`);
  assert.deepEqual(
    warnings.map(({ path, line }) => [path, line]),
    [
      ['listeners[0].trustedProxies[0]', 3],
      ['listeners[1]', 4],
      ['upstreams.unused', 5],
      ['apis[0].routes[0].match', 7],
    ],
  );
});

test('a file that cannot be read is one fault', async () => {
  const reasons = async (path: string) => {
    const result = await loadConfig(path, { env: {}, dev: false });
    return result.ok ? [] : result.faults.map((fault) => fault.message);
  };
  assert.match((await reasons(join(folder, 'absent.yaml')))[0] ?? '', /no such file/);
  assert.match((await reasons(join(folder, 'x.toml')))[0] ?? '', /".toml" is not a kind/);
  await writeFile(join(folder, 'large.yaml'), ' '.repeat(10_000_000));
  assert.match((await reasons(join(folder, 'large.yaml')))[0] ?? '', /larger than 4 MiB/);
  await writeFile(join(folder, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0xe9]));
  assert.match((await reasons(join(folder, 'latin1.yaml')))[0] ?? '', /not UTF-8/);
  await symlink('/dev/zero', join(folder, 'endless.yaml'));
  assert.match((await reasons(join(folder, 'endless.yaml')))[0] ?? '', /not a regular file/);
});

test('faults have a form for machines', async () => {
  const [fault] = await faultsOf(`${LISTENERS}\n${APIS}\nworkers: 65\n`);
  assert.ok(fault !== undefined);
  assert.equal(faultLine('f.yaml', fault), 'f.yaml:3:10  workers  65 is too large  → write at most 64');
  assert.deepEqual(faultsToJson('f.yaml', [fault]), {
    file: 'f.yaml',
    faults: [{ path: 'workers', line: 3, column: 10, message: '65 is too large', hint: 'write at most 64' }],
  });
});

test('brackets without end are a fault, not the end of the process', async () => {
  for (const text of [
    '['.repeat(200_000),
    '{a: '.repeat(200_000),
    'a:\n'.repeat(5),
    '- '.repeat(200_000),
    '? '.repeat(100_000),
  ]) {
    assert.ok((await faultsOf(text)).length > 0);
  }
});

test('ten thousand routes load, and so do their faults', async () => {
  const routes = (method: string) =>
    Array.from({ length: 10_000 }, (_, index) => `      - { match: "${method} /r${index}/{id}", cors: false }`).join(
      '\n',
    );
  const file = (method: string) =>
    `${LISTENERS}\napis:\n  - name: a\n    upstream: http://127.0.0.1:1\n    authenticate: none\n    routes:\n${routes(method)}\n`;
  assert.equal((await loaded(file('GET'))).config.apis[0]?.routes.length, 10_000);
  assert.equal((await faultsOf(file('GTE'))).length, 10_000);
});
