import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type LoadResult, loadConfig } from './load.ts';

const HEAD = `
import { z } from ${JSON.stringify(import.meta.resolve('zod'))};
import { defineConfig } from ${JSON.stringify(new URL('define-config.ts', import.meta.url).href)};
import { definePolicy } from ${JSON.stringify(new URL('../policies/policy.ts', import.meta.url).href)};
const stamp = definePolicy({
  name: 'stamp',
  phase: 'prepare',
  config: z.strictObject({ text: z.string() }),
  compile: ({ text }) => ({ reply: function stampReply(_exchange, reply) { reply.headers.set('x-stamp', text); } }),
});
`;

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-config-ts-'));
});
after(() => rm(folder, { recursive: true }));

async function load(text: string): Promise<LoadResult> {
  const path = join(folder, 'sallyport.config.ts');
  await writeFile(path, `${HEAD}\n${text}`);
  return loadConfig(path, { env: { SECRET: 'from-the-environment' }, dev: false });
}

const api = (extra: string) => `{ name: 'a', upstream: 'http://127.0.0.1:1', authenticate: 'none', ${extra} }`;
const config = (extra: string, apiExtra = '') => `export default defineConfig({
  listeners: [{ name: 'public', address: '127.0.0.1:8443' }],
  apis: [${api(apiExtra)}],
  ${extra}
});`;

test('a TypeScript file brings its own policies, set up under their names', async () => {
  const result = await load(
    config('policies: [stamp]', `policies: { stamp: { text: '\${env:SECRET}' } }, drain: undefined`),
  );
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(
    result.customPolicies.map((policy) => policy.name),
    ['stamp'],
  );
  assert.deepEqual(result.config.apis[0]?.policies, {
    authenticate: 'none',
    stamp: { text: 'from-the-environment' },
  });
  assert.deepEqual(result.files, [join(folder, 'sallyport.config.ts')]);
  assert.ok(result.secretPaths.has('apis[0].policies.stamp.text'));
});

test('each load runs the file as it is then', async () => {
  const first = await load(config("drain: '1s'"));
  const second = await load(config("drain: '2s'"));
  assert.deepEqual([first.ok && first.config.drain, second.ok && second.config.drain], [1000, 2000]);
});

test('faults have their path, and no line', async () => {
  const result = await load(config('workers: 65, policies: [stamp]', "policies: { stamp: { txt: 'x' }, stmp: {} }"));
  assert.ok(!result.ok);
  assert.deepEqual(
    result.faults.map(({ path, line }) => [path, line]),
    [
      ['apis[0].policies.stamp.text', undefined],
      ['apis[0].policies.stamp.txt', undefined],
      ['apis[0].policies.stmp', undefined],
      ['workers', undefined],
    ],
  );
});

test('anything but plain data is refused where it stands', async () => {
  const result = await load(`
const loop = { targets: [] }; loop.loop = loop;
export default {
  listeners: [{ name: 'public', address: () => '127.0.0.1:1', limits: new Map(), allow: [new Date()] }],
  upstreams: { loop },
  apis: [{ ['__proto__']: {}, constructor: 1 }],
  workers: Symbol('x'),
  drain: 5n,
};`);
  assert.ok(!result.ok);
  const places = new Map(result.faults.map((fault) => [fault.path, fault.message]));
  assert.match(places.get('listeners[0].address') ?? '', /is a function/);
  assert.match(places.get('listeners[0].limits') ?? '', /is a Map/);
  assert.match(places.get('listeners[0].allow[0]') ?? '', /is a Date/);
  assert.match(places.get('upstreams.loop.loop') ?? '', /contains itself/);
  assert.match(places.get('apis[0].__proto__') ?? '', /cannot be a key/);
  assert.match(places.get('apis[0].constructor') ?? '', /cannot be a key/);
  assert.match(places.get('workers') ?? '', /is a symbol/);
  assert.match(places.get('drain') ?? '', /is a bigint/);
});

test('what is no policy, or takes the name of another, is refused', async () => {
  const policies = `policies: [stamp, stamp, { ...stamp, name: 'cors' }, { ...stamp, name: 'toString' }, { ...stamp, compile: 1 }, 'x']`;
  const result = await load(config(policies));
  assert.ok(!result.ok);
  assert.deepEqual(
    result.faults.map((fault) => fault.path),
    ['policies[1].name', 'policies[2].name', 'policies[3].name', 'policies[4].compile', 'policies[5]'],
  );
  const none = await load(config('policies: 5'));
  assert.deepEqual(!none.ok && none.faults.map((fault) => fault.path), ['policies']);
});

test('a file that does not run, or exports nothing, is a fault', async () => {
  for (const [text, message] of [
    ['export default {', /does not run: SyntaxError/],
    ['throw new Error("no database")', /does not run: Error: no database/],
    ['export const config = {};', /no default export/],
    ['export default [];', /no default export/],
  ] as const) {
    const result = await load(text);
    assert.ok(!result.ok);
    assert.match(result.faults[0]?.message ?? '', message);
  }
});

test('the query that makes Node load anew stays out of the file name', async () => {
  const result = await load('export default { here: import.meta.url };');
  assert.ok(!result.ok);
  assert.deepEqual(result.files, [join(folder, 'sallyport.config.ts')]);
  assert.ok(!JSON.stringify(result.faults).includes(pathToFileURL(folder).href));
});

const policy = (name: string, phase: string, more: string) =>
  `definePolicy({ name: '${name}', phase: '${phase}', config: z.strictObject({}), ${more.includes('compile') ? '' : `compile: () => ({ request: function ${name}Hook() { return undefined; } }),`} ${more} })`;

for (const [what, policies, settings, expected] of [
  [
    'a need that a policy of an earlier phase meets',
    [policy('who', 'identify', "provides: ['principal']"), policy('may', 'authorize', "needs: ['principal']")],
    'who: {}, may: {}',
    undefined,
  ],
  [
    'a need that no policy meets',
    [policy('may', 'authorize', "needs: ['principal']")],
    'may: {}',
    /the policy may needs the principal/,
  ],
  [
    'a need that is met too late',
    [policy('who', 'limit', "provides: ['principal']"), policy('may', 'authorize', "needs: ['principal']")],
    'who: {}, may: {}',
    /the policy may needs the principal/,
  ],
  [
    'a need whose provider is turned off',
    [policy('who', 'identify', "provides: ['principal']"), policy('may', 'authorize', "needs: ['principal']")],
    'who: false, may: {}',
    /the policy may needs the principal/,
  ],
  [
    'a policy that cannot be compiled',
    [policy('odd', 'admit', "compile: () => { throw new Error('no such list'); }")],
    'odd: {}',
    /no such list/,
  ],
  [
    'a hook without a name',
    [policy('odd', 'admit', 'compile: () => ({ request: (() => () => undefined)() })')],
    'odd: {}',
    /a hook without a name/,
  ],
] as const) {
  test(`${what} ${expected === undefined ? 'loads' : 'is a fault of the API'}`, async () => {
    const result = await load(config(`policies: [${policies.join(', ')}]`, `policies: { ${settings} }`));
    if (expected === undefined) {
      assert.ok(result.ok, JSON.stringify(result));
      return;
    }
    assert.ok(!result.ok);
    assert.equal(result.faults[0]?.path, 'apis[0]');
    assert.match(result.faults[0]?.message ?? '', expected);
  });
}
