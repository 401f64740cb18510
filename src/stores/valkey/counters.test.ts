import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { createTestAuthority } from '../../../test/support/certificate-authority.ts';
import { type RedisServer, startRedis, startRedisCluster } from '../../../test/support/redis.ts';
import { skipUnless } from '../../../test/support/require-tool.ts';
import { until } from '../../../test/support/until.ts';
import type { Counters } from '../counters.ts';
import { type CountersSettings, openCounters } from '../open-counters.ts';
import { StoreUnavailable } from '../stores.ts';
import { countersContract } from '../test-counters-contract.ts';

const skip = skipUnless('redis-server');

describe('counters on Valkey', { skip }, () => {
  countersContract(async () => {
    const server = await startRedis();
    return { settings: settingsOf(server.url), stop: async () => await server.stop() };
  });
});

describe('counters on a Valkey cluster', { skip }, () => {
  countersContract(async () => {
    const cluster = await startRedisCluster();
    return { settings: { ...settingsOf(cluster.url), cluster: true }, stop: async () => await cluster.stop() };
  });
});

describe('counters on a Valkey cluster of which a node fails', { skip }, () => {
  it('refuses what that node has, serves the rest, and recovers', async () => {
    const cluster = await startRedisCluster();
    const counters = await openCounters({ ...settingsOf(cluster.url), cluster: true });
    const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`);
    const askAll = async (): Promise<readonly string[]> =>
      await Promise.all(
        keys.map(async (key) =>
          Promise.resolve(counters.increment(key, 600_000)).then(
            () => 'served',
            (error: Error) => error.name,
          ),
        ),
      );
    try {
      await until('all nodes to serve', async () => (await askAll()).every((answer) => answer === 'served'));
      cluster.nodes[1]?.pause();
      const answers = await askAll();
      assert.deepEqual([...new Set(answers)].sort(), ['StoreUnavailable', 'served']);
      cluster.nodes[1]?.resume();
      await until('all nodes to serve again', async () => (await askAll()).every((answer) => answer === 'served'));
    } finally {
      await counters.close();
      await cluster.stop();
    }
  });
});

describe('counters on a Valkey that fails', { skip }, () => {
  let server: RedisServer;
  let counters: Counters;
  before(async () => {
    server = await startRedis();
    counters = await openCounters(settingsOf(server.url));
  });
  after(async () => {
    await counters.close();
    await server.stop();
  });
  const refuses = async (): Promise<void> => {
    const calls = [
      async () => await counters.once('a', 60_000),
      async () => await counters.increment('a', 60_000),
      async () => await counters.read('a'),
      async () => await counters.clear('a'),
    ];
    for (const call of calls) {
      await assert.rejects(call, (error: Error) => {
        assert.ok(error instanceof StoreUnavailable, error.message);
        assert.ok(!error.stack?.includes(server.password));
        return true;
      });
    }
  };

  it('refuses while it hangs, though many call, and goes on afterwards', async () => {
    await until('the server to be used', async () => await isServed(counters));
    server.pause();
    try {
      await Promise.all(Array.from({ length: 50 }, refuses));
    } finally {
      server.resume();
    }
    await until('the counters to be served again', async () => await isServed(counters));
  });

  it('refuses while it is gone, and goes on when it is back', async () => {
    await server.kill();
    await refuses();
    await server.restart();
    await until('the counters to be served again', async () => await isServed(counters));
    assert.equal((await counters.increment('afterwards', 60_000)).count, 1); // the server forgot its scripts, too
  });

  it('starts while the server is away, and is served when it comes', async () => {
    await server.kill();
    const early = await openCounters(settingsOf(server.url));
    await assert.rejects(async () => await early.once('early', 60_000), StoreUnavailable);
    await server.restart();
    await until(
      'the server to be found',
      async () => await Promise.resolve(early.once('early', 60_000)).catch(() => false),
    );
    await early.close();
  });

  it('refuses a wrong password without repeating it', async () => {
    const url = server.url.replace(server.password, 'hunter2hunter2');
    const stranger = await openCounters(settingsOf(url));
    await assert.rejects(
      async () => await stranger.once('x', 60_000),
      (error: Error) => error instanceof StoreUnavailable && !error.stack?.includes('hunter2'),
    );
    await stranger.close();
  });
});

describe('the way to Valkey', { skip }, () => {
  it('speaks TLS and takes the certificate of the right authority and name alone', async () => {
    const authority = await createTestAuthority();
    const server = await startRedis({ tls: await authority.issue('localhost') });
    const url = server.url.replace('127.0.0.1', 'localhost');
    const attempts = [
      { url, ca: authority.cert, served: true },
      { url, ca: (await createTestAuthority('Another CA')).cert, served: false },
      { url, ca: undefined, served: false },
      { url: server.url, ca: authority.cert, served: false }, // an address, for which the certificate is not
    ];
    try {
      for (const { served, ...way } of attempts) {
        const counters = await openCounters({ ...settingsOf(way.url), ca: way.ca });
        const answer = await Promise.resolve(counters.once(`tls ${served}`, 60_000)).catch(
          (error: Error) => error.name,
        );
        assert.equal(answer, served ? true : 'StoreUnavailable');
        await counters.close();
      }
    } finally {
      await server.stop();
    }
  });

  const forgetful = { settings: ['maxmemory 100mb', 'maxmemory-policy allkeys-lru'] };
  const administer = async (url: string, ...commands: readonly (readonly [string, ...string[]])[]): Promise<void> => {
    const administrator = new Redis(url);
    for (const [command, ...args] of commands) await administrator.call(command, args);
    administrator.disconnect();
  };

  it('refuses a server that forgets what is alive when its memory is full', async () => {
    const server = await startRedis(forgetful);
    try {
      await assert.rejects(openCounters(settingsOf(server.url)), /maxmemory-policy is allkeys-lru/);
    } finally {
      await server.stop();
    }
  });

  it('gives no nonce to such a server that comes later, until it is set right', async () => {
    const server = await startRedis(forgetful);
    await server.kill();
    const counters = await openCounters(settingsOf(server.url));
    try {
      await server.restart();
      await until('the server to be found', async () => await isServed(counters));
      const refusal = { name: 'StoreUnavailable', message: /maxmemory-policy is allkeys-lru/ };
      await assert.rejects(async () => await counters.once('nonce', 60_000), refusal);
      await administer(server.url, ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction']);
      assert.equal(await counters.once('nonce', 60_000), true);
      await administer(
        server.url,
        ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru'],
        ['CLIENT', 'KILL', 'TYPE', 'normal'],
      );
      await until('the server to be found again', async () => await isServed(counters));
      await assert.rejects(async () => await counters.once('another', 60_000), refusal);
    } finally {
      await counters.close();
      await server.stop();
    }
  });

  it('asks every node of a cluster', async () => {
    const cluster = await startRedisCluster();
    try {
      const [, , last] = cluster.nodes;
      assert.ok(last !== undefined);
      await administer(
        last.url,
        ['CONFIG', 'SET', 'maxmemory', '100mb'],
        ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru'],
      );
      await assert.rejects(openCounters({ ...settingsOf(cluster.url), cluster: true }), /maxmemory-policy/);
    } finally {
      await cluster.stop();
    }
  });

  it('takes a server that does not let its user ask', async () => {
    const server = await startRedis();
    try {
      await administer(server.url, ['ACL', 'SETUSER', 'gateway', 'on', '>pass', '~*', '+@all', '-info']);
      const counters = await openCounters(settingsOf(server.url.replace(`:${server.password}@`, 'gateway:pass@')));
      assert.equal(await counters.once('nonce', 60_000), true);
      await counters.close();
    } finally {
      await server.stop();
    }
  });
});

describe('the URL of a Valkey server', () => {
  it('is refused where it is none, without repeating it', async () => {
    const urls = [
      'redis',
      'http://:s3cret@host',
      'redis://:s3cret@host/x',
      'redis://:s3cret@host/0?tls=1',
      'redis://:s3cret%@host',
    ];
    for (const url of urls) {
      await assert.rejects(openCounters(settingsOf(url)), (error: Error) => {
        assert.ok(error instanceof TypeError && !error.stack?.includes('s3cret'), error.message);
        return true;
      });
    }
    await assert.rejects(openCounters({ ...settingsOf('redis://host'), ca: 'PEM' }), /rediss/);
  });
});

async function isServed(counters: Counters): Promise<boolean> {
  return await Promise.resolve(counters.read('alive')).then(
    () => true,
    () => false,
  );
}

function settingsOf(url: string): Extract<CountersSettings, { driver: 'valkey' }> {
  return { driver: 'valkey', url, cluster: false, ca: undefined, deadline: 500 };
}
