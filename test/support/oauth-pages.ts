import assert from 'node:assert/strict';
import { formsOf, type PageVisit, type Visitor } from '../../src/oauth/accounts/test-visitor.ts';
import { ADA } from './oauth-gateway.ts';

export type Person = typeof ADA | { readonly username: string; readonly password: string };

/** Goes where an app sends people, signs in and allows what it asks for, as far as somebody is asked; resolves with where the answer goes. */
export async function goThrough(visitor: Visitor, start: URL | string, person: Person = ADA): Promise<URL> {
  let page = await visitor.get(String(start));
  if (isSignIn(page)) page = await visitor.submit(page, 'password', person);
  if (isConsent(page)) page = await visitor.submit(page, 'allow');
  assert.ok(page.away !== undefined, `not sent back: ${page.status} ${page.url} ${page.body}`);
  return page.away;
}

export function isSignIn(page: PageVisit): boolean {
  return page.away === undefined && page.body.includes('name="password"');
}

export function isConsent(page: PageVisit): boolean {
  return page.away === undefined && page.body.includes('value="allow"');
}

/** Sends the form that has a field or button of this name, with what it carries hidden. */
export async function fill(
  visitor: Visitor,
  page: PageVisit,
  fields: Readonly<Record<string, string>>,
): Promise<PageVisit> {
  const [named = ''] = Object.keys(fields);
  const form = formsOf(page).find(({ markup }) => markup.includes(`name="${named}"`));
  assert.ok(form !== undefined, `no form with ${named}: ${page.status} ${page.body}`);
  return await visitor.post(form.action, { ...form.fields, ...fields });
}

/** Presses the button of a form that has no name, beside one that has this. */
export async function confirm(visitor: Visitor, page: PageVisit, beside: string): Promise<PageVisit> {
  const form = formsOf(page).find(({ markup }) => markup.includes(`name="${beside}"`));
  assert.ok(form !== undefined, `no form with ${beside}: ${page.status} ${page.body}`);
  return await visitor.post(form.action, form.fields);
}
