import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../errors/problem.ts';
import { Reply } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { publicRoute, testExchange, upstreamReply } from '../test-exchange.ts';
import { corsConfig } from './config.ts';
import { corsPolicy } from './cors.ts';

const APP = 'https://app.example.com';

test('a listed origin may read replies', () => {
  const headers = answer({ origins: [APP] }, ['Origin', APP]);
  assert.deepEqual(headers.raw, ['Vary', 'Origin', 'Access-Control-Allow-Origin', APP]);
});

test('credentials and exposed fields are said to listed origins only', () => {
  const config = { origins: [APP], credentials: true, exposeHeaders: ['X-Total', 'Link'] };
  const allowed = answer(config, ['Origin', APP]);
  assert.equal(allowed.get('access-control-allow-credentials'), 'true');
  assert.equal(allowed.get('access-control-expose-headers'), 'x-total, link');
  assert.deepEqual(answer(config, ['Origin', 'https://other.example']).raw, ['Vary', 'Origin']);
});

test('attack 52: what only looks like a listed origin gets no ACAO, and Vary always tells caches why', () => {
  const lookalikes = [
    'null',
    'https://app.example.com.evil.com',
    'https://evilapp.example.com',
    'https://app.example.com:443',
    'https://app.example.com:8443',
    'https://app.example.com/',
    'https://app.example.com.',
    'http://app.example.com',
    'https://APP.example.com',
    'https://app.example.com@evil.com',
    'https://app.example.com https://evil.com',
    'https://appxexample.com',
    ' https://app.example.com',
    '*',
    '',
  ];
  for (const origin of lookalikes) {
    const headers = answer({ origins: [APP], credentials: true }, ['Origin', origin]);
    assert.deepEqual(headers.raw, ['Vary', 'Origin'], JSON.stringify(origin));
  }
});

test('attack 52: two Origin fields are no origin, even where one of them is listed', () => {
  const headers = answer({ origins: [APP] }, ['Origin', APP, 'Origin', 'https://evil.com']);
  assert.deepEqual(headers.raw, ['Vary', 'Origin']);
});

test('a reply to a request without an origin varies on it all the same', () => {
  assert.deepEqual(answer({ origins: [APP] }, []).raw, ['Vary', 'Origin']);
});

test('where every origin may read, all replies say so and none varies', () => {
  assert.deepEqual(answer({ origins: ['*'] }, []).raw, ['Access-Control-Allow-Origin', '*']);
  assert.deepEqual(answer({ origins: ['*'] }, ['Origin', 'null']).raw, ['Access-Control-Allow-Origin', '*']);
});

test('Vary of the upstream is kept, without doubles; a star is left alone', () => {
  const vary = (...values: string[]) =>
    answer(
      { origins: [APP] },
      [],
      upstreamReply(
        200,
        values.flatMap((value) => ['vary', value]),
      ),
    ).all('vary');
  assert.deepEqual(vary('Accept-Encoding'), ['Accept-Encoding, Origin']);
  assert.deepEqual(vary('Accept', 'Accept-Encoding, Cookie'), ['Accept, Accept-Encoding, Cookie, Origin']);
  assert.deepEqual(vary('accept,  oRIGIN '), ['accept,  oRIGIN ']);
  assert.deepEqual(vary('Accept, *'), ['Accept, *']);
  assert.deepEqual(vary('X-Origin'), ['X-Origin, Origin']);
  assert.deepEqual(vary(''), ['Origin']);
});

test('the CORS fields of the upstream never reach a client', () => {
  const upstream = ['ACCESS-CONTROL-ALLOW-ORIGIN', 'https://evil.com', 'access-control-allow-credentials', 'true'];
  const more = ['Access-Control-Allow-Private-Network', 'true', 'Content-Type', 'text/plain'];
  const headers = answer(
    { origins: [APP] },
    ['Origin', 'https://evil.com'],
    upstreamReply(200, [...upstream, ...more]),
  );
  assert.deepEqual(headers.raw, ['Content-Type', 'text/plain', 'Vary', 'Origin']);
});

test('attack 53: a preflight is answered here, with the lists and without credentials being asked for', () => {
  const config = {
    origins: [APP],
    credentials: true,
    methods: ['GET', 'PATCH'],
    headers: ['Authorization'],
    maxAge: '1h',
  };
  const { reply, headers } = preflight(config, ['Origin', APP, 'Access-Control-Request-Method', 'PATCH']);
  assert.equal(reply?.status, 204);
  assert.equal(reply?.body, undefined);
  assert.deepEqual(headers.raw, [
    'Vary',
    'Origin, Access-Control-Request-Method',
    'Access-Control-Allow-Origin',
    APP,
    'Access-Control-Allow-Credentials',
    'true',
    'Access-Control-Allow-Methods',
    'GET, PATCH',
    'Access-Control-Allow-Headers',
    'authorization',
    'Access-Control-Max-Age',
    '3600',
  ]);
});

test('a preflight of another origin is answered, and told nothing', () => {
  const { reply, headers } = preflight({ origins: [APP] }, ['Origin', 'null', 'Access-Control-Request-Method', 'GET']);
  assert.equal(reply?.status, 204);
  assert.deepEqual(headers.raw, ['Vary', 'Origin, Access-Control-Request-Method']);
});

test('a preflight reflects nothing of the request: the browser compares', () => {
  const asked = ['Origin', APP, 'Access-Control-Request-Method', 'EVIL', 'Access-Control-Request-Headers', 'x-evil, *'];
  const { headers } = preflight({ origins: [APP] }, asked);
  assert.equal(headers.get('access-control-allow-methods'), 'GET, HEAD, POST, PUT, PATCH, DELETE');
  assert.equal(headers.get('access-control-allow-headers'), 'authorization, content-type');
  assert.equal(headers.get('access-control-max-age'), '600');
});

test('empty lists leave their fields out', () => {
  const { headers } = preflight({ origins: ['*'], methods: [], headers: [], maxAge: '0s' }, [
    'Origin',
    APP,
    'Access-Control-Request-Method',
    'GET',
  ]);
  assert.deepEqual(headers.raw, [
    'Vary',
    'Access-Control-Request-Method',
    'Access-Control-Allow-Origin',
    '*',
    'Access-Control-Max-Age',
    '0',
  ]);
});

test('what is no preflight goes on to the upstream', () => {
  const requests = [
    { method: 'OPTIONS', headers: [] },
    { method: 'OPTIONS', headers: ['Origin', APP] },
    { method: 'OPTIONS', headers: ['Access-Control-Request-Method', 'GET'] },
    { method: 'GET', headers: ['Origin', APP, 'Access-Control-Request-Method', 'GET'] },
    { method: 'options', headers: ['Origin', APP, 'Access-Control-Request-Method', 'GET'] },
  ];
  for (const { method, headers } of requests) {
    const exchange = testExchange({ method, headers: new HeaderList(headers) });
    assert.equal(compiled({ origins: [APP] }).request?.(exchange), undefined, `${method} ${headers}`);
  }
});

test('attack 53: problems of the gateway carry CORS, so that a script can read them', () => {
  for (const code of ['forbidden-address', 'body-too-large', 'bad-gateway'] as const) {
    const reply = new Reply(502, new HeaderList([]), undefined, 'gateway');
    reply.problem = new Problem(code);
    assert.equal(answer({ origins: [APP] }, ['Origin', APP], reply).get('access-control-allow-origin'), APP);
  }
});

test('origins of the file are read in the spelling of browsers', () => {
  const spellings: Readonly<Record<string, string>> = {
    'HTTPS://App.Example.com:443': APP,
    'http://localhost:80': 'http://localhost',
    'http://LOCALHOST:5173': 'http://localhost:5173',
    'https://bücher.example': 'https://xn--bcher-kva.example',
    'http://[0:0::1]:3000': 'http://[::1]:3000',
    'capacitor://LocalHost': 'capacitor://localhost',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop': 'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    '*': '*',
  };
  for (const [written, read] of Object.entries(spellings)) {
    assert.deepEqual(corsConfig.parse({ origins: [written] }).origins, [read], written);
  }
});

test('attack 52: origins that would match more or less than they seem to are faults', () => {
  const faults: Readonly<Record<string, RegExp>> = {
    null: /is the origin of every sandboxed frame/,
    NULL: /is the origin of every sandboxed frame/,
    'https://*.example.com': /is a pattern/,
    'https://app.*': /is a pattern/,
    'https://app.example.com/': /has more than scheme, host and port/,
    'https://app.example.com/path?x': /has more than scheme, host and port/,
    'https://app.example.com#x': /has more than scheme, host and port/,
    'app.example.com': /is not an origin/,
    '//app.example.com': /is not an origin/,
    'https://': /is not an origin/,
    'https://user:secret@app.example.com': /is not an origin/,
    'https://app.example.com\\@evil.com': /has more than scheme, host and port/,
    'https://app.example.com:65536': /is not an origin/,
    'https://app.example.com, https://b.example': /is not an origin|has more/,
    'htps://app.example.com': /is not an origin/,
    'file:///etc': /is not an origin/,
    '': /is not an origin/,
  };
  for (const [written, message] of Object.entries(faults))
    assert.match(fault({ origins: [written] }), message, written);
});

test('a slash behind an origin is a fault that says what to write', () => {
  const outcome = corsConfig.safeParse({ origins: ['https://App.example.com:443/'] });
  const [issue] = outcome.error?.issues ?? [];
  assert.deepEqual(issue?.path, ['origins', 0]);
  assert.equal(issue?.code === 'custom' && issue.params?.['hint'], `write ${APP}`);
});

test('settings that contradict each other are faults', () => {
  assert.match(fault({}), /expected array/);
  assert.match(fault({ origins: [] }), /at least|>=1/i);
  assert.match(fault({ origins: ['*'], credentials: true }), /every site could act as the signed-in user/);
  assert.match(fault({ origins: ['*', APP] }), /beside other entries/);
  assert.match(fault({ origins: [APP], methods: ['get'] }), /is not a request method/);
  assert.match(fault({ origins: [APP], methods: ['TRACE'] }), /cannot be allowed/);
  assert.match(fault({ origins: [APP], methods: ['*'] }), /is not a request method/);
  assert.match(fault({ origins: [APP], headers: ['*'] }), /is not a header field name/);
  assert.match(fault({ origins: [APP], exposeHeaders: ['X Total'] }), /is not a header field name/);
  assert.match(fault({ origins: [APP], maxAge: '25h' }), /out of bounds/);
  assert.match(fault({ origins: [APP], orgins: [] }), /orgins/);
});

function compiled(config: object) {
  const policy = corsPolicy.compile(corsConfig.parse(config), publicRoute);
  assert.ok(policy !== undefined);
  return policy;
}

/** The head of a reply to GET after the policy. */
function answer(config: object, headers: readonly string[], reply: Reply = upstreamReply(200, [])): HeaderList {
  compiled(config).reply?.(testExchange({ headers: new HeaderList([...headers]) }), reply);
  return reply.headers;
}

/** The answer of the request hook to OPTIONS, and its head after the reply hook. */
function preflight(config: object, headers: readonly string[]) {
  const policy = compiled(config);
  const exchange = testExchange({ method: 'OPTIONS', headers: new HeaderList([...headers]) });
  const reply = policy.request?.(exchange);
  assert.ok(reply instanceof Reply);
  policy.reply?.(exchange, reply);
  return { reply, headers: reply.headers };
}

/** The messages of a configuration that does not load. */
function fault(config: object): string {
  const outcome = corsConfig.safeParse(config);
  assert.equal(outcome.success, false, JSON.stringify(config));
  return outcome.error?.issues.map((issue) => issue.message).join('; ') ?? '';
}
