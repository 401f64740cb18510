import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AlreadyRunning, askGateway, type ControlActions, NotRunning, openControlSocket } from './control-socket.ts';

/** What a gateway says that has its socket and not yet anything behind it. */
const starting: ControlActions = {
  reload: () => Promise.reject(new Error('the gateway has not started')),
  status() {
    throw new Error('the gateway has not started');
  },
  administer() {
    throw new Error('the gateway has not started');
  },
};

test('whoever asks while the gateway starts is told so, and does not end it', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sp-control-'));
  const socket = await openControlSocket(dataDir, starting);
  try {
    await assert.rejects(askGateway(dataDir, 'GET', '/status'), /has not started/);
    await assert.rejects(askGateway(dataDir, 'POST', '/reload'), /has not started/);
    await assert.rejects(openControlSocket(dataDir, starting), (error) => {
      assert(error instanceof AlreadyRunning);
      assert.match(error.message, /starting or stopping/);
      return true;
    });
    // Still there after all of it: a rejection that nobody handles would have ended this process.
    await assert.rejects(askGateway(dataDir, 'GET', '/status'), /has not started/);
  } finally {
    await socket.close();
  }
  await assert.rejects(askGateway(dataDir, 'GET', '/status'), NotRunning);
  await rm(dataDir, { recursive: true });
});
