import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNativeRedirectUri, redirectUriFault } from './redirect-uri.ts';

test('https URIs, loopback addresses and schemes of applications may be registered', () => {
  for (const uri of [
    'https://app.example.com/callback',
    'https://app.example.com',
    'https://app.example.com:8443/a/b?c=d',
    'https://app.example.com/a...b',
    'http://localhost:3000/callback',
    'http://127.0.0.1/callback',
    'http://[::1]:9/callback',
    'com.example.app:/callback',
    'com.example.app://callback',
  ]) {
    assert.equal(redirectUriFault(uri), undefined, uri);
  }
});

test('attack 43: what a browser might read otherwise than a comparison does may not', () => {
  for (const uri of [
    '',
    '/callback',
    '//app.example.com/callback',
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://app.example.com/x',
    'ftp://app.example.com/x',
    'myapp:/callback',
    'https:app.example.com',
    'https:///app.example.com',
    'https://*.example.com/',
    'https://app.example.com/*',
    'https://app.example.com/#',
    'https://app.example.com/a#b',
    'https://user:password@app.example.com/',
    'https://@app.example.com/',
    'https://app.example.com/../x',
    'https://app.example.com/a/..',
    'https://app.example.com/a/./b',
    'https://app.example.com/%2e%2e/x',
    'https://app.example.com/a/.%2E/x',
    'https://app.example.com/a%2f..%2fx',
    'https://app.example.com/a%5c..%5cx',
    'https://app.example.com\\x',
    'https://app.example.com/a b',
    'https://app.example.com/a\tb',
    'https://app.example.com/\u0000',
    'https://app.exämple.com/',
    'http://app.example.com/callback',
    'http://127.0.0.1.evil.example/callback',
    'http://localhost.evil.example/callback',
    'com.example.app:/a/../b',
    `https://app.example.com/${'x'.repeat(2048)}`,
  ]) {
    assert.equal(typeof redirectUriFault(uri), 'string', uri);
  }
});

test('only what an application on the device answers is native', () => {
  assert.equal(isNativeRedirectUri('http://127.0.0.1/callback'), true);
  assert.equal(isNativeRedirectUri('com.example.app:/callback'), true);
  assert.equal(isNativeRedirectUri('https://app.example.com/callback'), false);
  assert.equal(isNativeRedirectUri('nothing'), false);
});
