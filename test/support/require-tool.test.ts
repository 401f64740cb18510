import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { findTool, skipBecause, skipUnless } from './require-tool.ts';

describe('skipUnless', () => {
  const before = { ...process.env };
  beforeEach(() => {
    delete process.env['SALLYPORT_REQUIRE_ALL'];
  });
  afterEach(() => {
    for (const name of ['PATH', 'SALLYPORT_REQUIRE_ALL']) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });

  it('gives a reason that says what to install, or false where the program is there', () => {
    // Debian has no caddy in the directories that are always searched.
    process.env['PATH'] = '';
    assert.match(String(skipUnless('caddy')), /caddy is not installed \(Debian: apt-get install caddy\)/);
    process.env['PATH'] = before['PATH'];
    assert.equal(skipUnless('openssl') === false, findTool('openssl') !== undefined);
  });

  it('throws where nothing may be skipped', () => {
    process.env['PATH'] = '';
    process.env['SALLYPORT_REQUIRE_ALL'] = '1';
    assert.throws(() => skipUnless('caddy'), /forbids skipping: caddy is not installed/);
    assert.throws(() => skipBecause('port 80 is taken'), /port 80 is taken/);
  });
});
