import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parseDuration } from '../lib/duration.ts';
import { defaultLifetimes, defaultSigning } from './options.ts';

/** As the generated schema has it. */
interface Schema {
  readonly properties: {
    readonly authorizationServer: {
      readonly properties: {
        readonly lifetimes: { readonly properties: Readonly<Record<string, { readonly default: string }>> };
      };
    };
  };
}

test('what lasts how long is the same where a file says nothing and where there is no file', async () => {
  const file = new URL('../../docs/schema/sallyport.schema.json', import.meta.url);
  const schema = JSON.parse(await readFile(file, 'utf8')) as Schema;
  const { properties } = schema.properties.authorizationServer.properties.lifetimes;
  const ofFile = Object.fromEntries(
    Object.entries(properties).map(([name, option]) => [name, parseDuration(option.default)]),
  );
  const { accessToken, clientCredentials, grant, refreshToken, session } = defaultLifetimes;
  assert.deepEqual(ofFile, {
    accessToken: accessToken * 1000,
    refreshToken: refreshToken * 1000,
    session: session * 1000,
    signingKey: defaultSigning.rotateAfter,
  });
  assert.deepEqual({ clientCredentials, grant }, { clientCredentials: accessToken, grant: refreshToken });
});
