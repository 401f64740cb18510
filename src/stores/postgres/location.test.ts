import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseLocation } from './location.ts';

describe('the URL of a PostgreSQL server', () => {
  it('is taken apart', () => {
    const { ssl, ...location } = parseLocation(
      'postgres://us%40er:p%3A%2Fw@db.example.com:6543/data?application_name=x',
      undefined,
    );
    assert.deepEqual(location, {
      host: 'db.example.com',
      port: 6543,
      user: 'us@er',
      password: 'p:/w',
      database: 'data',
      applicationName: 'x',
    });
    assert.notEqual(ssl, false);
    const socket = parseLocation('postgresql:///data?host=/run/postgresql&user=me', undefined);
    assert.deepEqual([socket.host, socket.port, socket.user, socket.ssl], ['/run/postgresql', 5432, 'me', false]);
    assert.equal(parseLocation('postgres://me@[::1]/data', undefined).host, '::1');
  });

  it('verifies TLS unless the server is on this machine or it says not to', () => {
    const speaksTls = (rest: string, ca?: string): boolean => parseLocation(`postgres://me@${rest}`, ca).ssl !== false;
    for (const rest of [
      'db.example.com/d',
      '10.0.0.1/d',
      'localhost/d?sslmode=require',
      '127.0.0.1/d?sslmode=verify-full',
    ]) {
      assert.equal(speaksTls(rest), true, rest);
    }
    for (const rest of ['localhost/d', '127.0.0.1/d', '[::1]/d', 'db.example.com/d?sslmode=disable']) {
      assert.equal(speaksTls(rest), false, rest);
    }
    assert.equal(speaksTls('localhost/d', 'PEM'), true);
    for (const mode of ['prefer', 'allow', 'no-verify', 'x']) {
      assert.throws(() => speaksTls(`db.example.com/d?sslmode=${mode}`), /would take any certificate/);
    }
  });

  it('is refused where it is none, without repeating it', () => {
    const urls = [
      'hunter2',
      'mysql://me:hunter2@host/d',
      'postgres://me:hunter2@host',
      'postgres://:hunter2@host/d',
      'postgres://me:hunter2%@host/d',
      'postgres://me:hunter2@host/d?sslrootcert=x',
      'postgres:///d?user=me',
    ];
    for (const url of urls) {
      assert.throws(
        () => parseLocation(url, undefined),
        (error: Error) => error instanceof TypeError && !String(error.stack).includes('hunter2'),
        url,
      );
    }
  });
});
