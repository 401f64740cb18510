import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { compilePolicies } from '../config/compile-policies.ts';
import { Problem } from '../errors/problem.ts';
import { Reply } from '../exchange.ts';
import { HeaderList } from '../lib/header-list.ts';
import { order, phases } from './order.ts';
import { policies } from './registry.ts';
import { publicRoute, testExchange, upstreamReply } from './test-exchange.ts';

const APP = 'https://app.example.com';

test('every policy of the registry stands in the order exactly once, in its own phase', () => {
  const placed = order.map(({ policy, phase }) => `${policy} in ${phase}`);
  const registered = policies.map(({ name, phase }) => `${name} in ${phase}`);
  assert.deepEqual(placed.toSorted(), registered.toSorted());
  assert.equal(new Set(order.map(({ policy }) => policy)).size, order.length);
});

test('the order goes through the phases from first to last, each named once', () => {
  const names = phases.map(({ phase }) => phase);
  assert.equal(new Set(names).size, names.length);
  const places = order.map(({ phase }) => names.indexOf(phase));
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  assert.ok(!places.includes(-1));
});

test('every place has its reason', () => {
  for (const { reason } of [...phases, ...order]) assert.match(reason, /^[a-z].{20,}[^.]$/);
});

test('every policy and every option has a description, and unknown options are faults', () => {
  for (const { name, config } of policies) {
    assert.match(name, /^[a-z][A-Za-z]+$/);
    const schema = z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' });
    assert.match(schema.description ?? '', /\.$/, name);
    const undescribed = options(schema).filter(({ option }) => !/\.$/.test(option.description ?? ''));
    assert.deepEqual(
      undescribed.map(({ key }) => `${name}.${key}`),
      [],
    );

    // `authenticate` is a list of alternatives, or a word.
    const input = name === 'authenticate' ? [{ nobodyKnowsThis: 1 }] : { nobodyKnowsThis: 1 };
    assert.deepEqual(unknownKeys(config.safeParse(input).error?.issues ?? []), ['nobodyKnowsThis'], name);
  }
});

function unknownKeys(issues: readonly z.core.$ZodIssue[]): readonly string[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys;
    return issue.code === 'invalid_union' ? unknownKeys(issue.errors.flat()) : [];
  });
}

test('attack 53: whatever answers, the reply passes CORS and the security headers', async () => {
  const replies = [401, 403, 413, 429, 502].map((status) => {
    const reply = new Reply(status, new HeaderList([]), undefined, 'gateway');
    reply.problem = new Problem('bad-gateway');
    return reply;
  });
  for (const reply of [
    ...replies,
    upstreamReply(500, ['Access-Control-Allow-Origin', '*', 'X-Debug', '1', 'Server', 'a'], 'a stack trace'),
  ]) {
    await runReplyHooks(reply);
    assert.equal(reply.headers.get('access-control-allow-origin'), APP, String(reply.status));
    assert.equal(reply.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(reply.headers.get('x-own'), '1');
    assert.equal(reply.headers.has('x-debug'), false);
    assert.equal(reply.headers.has('server'), false);
    assert.notEqual(reply.body, 'a stack trace');
  }
});

/** Runs a reply through the policies as a route's compiled hooks have them. */
async function runReplyHooks(reply: Reply): Promise<void> {
  const own = { cors: { origins: [APP] }, headers: { reply: { set: { 'X-Own': '1' } } } };
  const settings = Object.fromEntries(
    policies
      .filter(({ name }) => name in own)
      .map(({ name, config }) => [name, config.parse(Object.entries(own).find(([key]) => key === name)?.[1])]),
  );
  const { replyHooks } = compilePolicies(publicRoute, settings, []);
  const exchange = testExchange({ headers: new HeaderList(['Origin', APP]) });
  for (const hook of replyHooks) await hook(exchange, reply);
}

/** The options of a schema, those of the objects inside it included. */
function options(
  schema: z.core.JSONSchema.BaseSchema,
): { readonly key: string; readonly option: z.core.JSONSchema.BaseSchema }[] {
  const branches = [schema, ...(schema.anyOf ?? [])];
  return branches.flatMap((branch) =>
    Object.entries(branch.properties ?? {}).flatMap(([key, option]) =>
      typeof option === 'boolean' ? [] : [{ key, option }, ...options(option)],
    ),
  );
}
