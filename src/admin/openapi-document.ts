import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { plainAction } from './action.ts';
import { replyJson } from './admin-reply.ts';

/** The description of this API, as it is published with the program. */
const file = new URL('../../docs/admin.openapi.yaml', import.meta.url);

export const openapiYaml = plainAction(async () => ({
  status: 200,
  contentType: 'application/yaml',
  headers: {},
  body: await readFile(file, 'utf8'),
}));

export const openapiJson = plainAction(async () => replyJson(200, Object(parse(await readFile(file, 'utf8')))));
