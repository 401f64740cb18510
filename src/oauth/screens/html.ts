import { escapeHtml } from '../../lib/escape-html.ts';

/** Markup that may be written as it is. Only `html` makes it, so every text on its way into a page is escaped. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

/** What may stand in a template: texts are escaped, markup is kept, lists are joined, undefined and false are nothing. */
export type HtmlValue = Html | string | number | undefined | false | readonly HtmlValue[];

/**
 * A template whose values are escaped by themselves. Values stand in content or in quoted attributes; names, unquoted
 * attributes, URLs of unknown schemes, scripts and styles are no place for them.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let markup = strings[0] ?? '';
  for (const [index, value] of values.entries()) markup += write(value) + (strings[index + 1] ?? '');
  return new Html(markup);
}

function write(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.markup;
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  return value.map(write).join('');
}
