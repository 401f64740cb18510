import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createTestAuthority } from './certificate-authority.ts';
import { startPostgres } from './postgres.ts';
import { startRedis, startRedisCluster } from './redis.ts';
import { skipUnless } from './require-tool.ts';

describe('the PostgreSQL of the tests', { skip: skipUnless('postgres') }, () => {
  it('hangs, dies and comes back with what was committed', async () => {
    const server = await startPostgres();
    try {
      const url = await server.createDatabase();
      assert.equal(await firstValue(url, 'create table t (v int)'), undefined);
      assert.equal(await firstValue(url, 'insert into t values (7) returning v'), 7);
      const waiting = new pg.Client(url);
      await waiting.connect();
      server.pause();
      let answered = false;
      const answer = waiting.query('select v from t').then(() => {
        answered = true;
      });
      await assert.rejects(firstValue(url, 'select 1', 200));
      assert.equal(answered, false);
      server.resume();
      await answer;
      waiting.on('error', () => undefined);
      await server.kill();
      await assert.rejects(firstValue(url, 'select 1'));
      await server.restart();
      assert.equal(await firstValue(url, 'select v from t'), 7);
    } finally {
      await server.stop();
    }
  });

  it('speaks TLS alone where it is given a certificate', async () => {
    const authority = await createTestAuthority();
    const server = await startPostgres({ tls: await authority.issue('localhost') });
    try {
      await assert.rejects(firstValue(server.url, 'select 1'), /pg_hba|no encryption/);
      const { port, password } = server;
      const ssl = { ca: authority.cert, servername: 'localhost' };
      const client = new pg.Client({ host: 'localhost', port, password, user: 'sallyport', database: 'postgres', ssl });
      await client.connect();
      assert.equal((await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).rows[0].ssl, true);
      await client.end();
    } finally {
      await server.stop();
    }
  });
});

describe('the Redis of the tests', { skip: skipUnless('redis-server') }, () => {
  it('hangs, dies and comes back, empty or not', async () => {
    for (const keepsData of [false, true]) {
      const server = await startRedis({ keepsData });
      try {
        await call(server.url, 'SET', 'a', '1');
        server.pause();
        await assert.rejects(call(server.url, 'GET', 'a'));
        server.resume();
        await server.restart();
        assert.equal(await call(server.url, 'GET', 'a'), keepsData ? '1' : null);
      } finally {
        await server.stop();
      }
    }
  });

  it('makes a cluster of several', async () => {
    const cluster = await startRedisCluster();
    try {
      assert.match(String(await call(cluster.url, 'CLUSTER', 'INFO')), /cluster_size:3/);
    } finally {
      await cluster.stop();
    }
  });
});

async function firstValue(url: string, statement: string, connectionTimeoutMillis = 0): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(statement)).rows[0]?.v;
  } finally {
    await client.end();
  }
}

async function call(url: string, command: string, ...args: readonly string[]): Promise<unknown> {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    commandTimeout: 300,
    enableReadyCheck: false,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}
