import { METHODS } from 'node:http';
import { isIP } from 'node:net';
import { z } from 'zod';
import { isToken } from '../lib/http-fields.ts';
import { parseSocketAddress } from '../lib/network-address.ts';
import { suggest } from '../lib/suggest.ts';
import { isPrototypeKey } from './source.ts';

/** What an option type answers for a text it does not take. */
export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

/** A string option; `read` gives its parsed value, or says what is wrong and what would be right. */
export function textOption<Value>(read: (text: string) => { readonly value: Value } | Refusal, examples: string[]) {
  return z
    .string()
    .meta({ examples })
    .transform((text, context): Value => {
      const outcome = read(text);
      if ('value' in outcome) return outcome.value;
      context.issues.push({ code: 'custom', message: outcome.message, input: text, params: { hint: outcome.hint } });
      return z.NEVER;
    });
}

/** One scope (RFC 6749 §3.3). */
export function scopeOption() {
  return z
    .string()
    .regex(
      /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
      'is not a scope: printable ASCII without blanks, quotes and backslashes',
    );
}

/** A name given in the file. Names stand in logs, metrics and commands, so their letters are few. */
export function nameOption() {
  return textOption(
    (text) =>
      NAME.test(text)
        ? { value: text }
        : { message: 'is not a name', hint: 'write 1 to 64 of a-z, 0-9 and -, beginning with a letter or digit' },
    ['widgets', 'widgets-v2'],
  );
}

/** A place to listen on. */
export function socketAddressOption() {
  return textOption(
    (text) => {
      const value = parseSocketAddress(text);
      if (value !== undefined) return { value };
      return {
        message: 'is not an address to listen on',
        hint: 'write an IP address and a port, such as 0.0.0.0:8443, [::]:8443 or 127.0.0.1:0',
      };
    },
    ['0.0.0.0:8443', '[::]:8443', '127.0.0.1:0'],
  );
}

/** A place to send requests to: `http://host:port`, `https://host:port` or `unix:/path`; it parses to its canonical spelling. */
export function targetOption() {
  return textOption(readTarget, ['http://10.0.0.11:4000', 'https://api.internal', 'unix:/run/app.sock']);
}

/** The https (or, for a service on this machine or a private network, http) address of a service the gateway itself calls. */
export function serviceUrlOption() {
  return textOption(
    (text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
        return {
          message: 'is not a URL',
          hint: 'write an http or https URL, such as https://collector.example.com/v1',
        };
      }
      if (url.username !== '' || url.password !== '') return CREDENTIALS;
      return { value: url.href };
    },
    ['https://collector.example.com/v1/traces'],
  );
}

/** A host an API answers to, or `*.` and a domain for every host below it; it parses to lower case. */
export function hostOption() {
  return textOption(readHost, ['api.example.com', '*.example.org']);
}

/** One host name, without wildcards. */
export function exactHostOption() {
  return textOption((text) => (text.startsWith('*') ? WILDCARD : readHost(text)), ['api.example.com']);
}

/** Header fields by their names; the names parse to lower case. */
export function headerFieldsOption() {
  return z.record(z.string(), z.string()).transform((fields, context) => {
    const lowered: Record<string, string> = {};
    for (const [name, value] of Object.entries(fields)) {
      const refusal = refuseField(name, value, lowered);
      if (refusal === undefined) lowered[name.toLowerCase()] = value;
      else
        context.issues.push({
          code: 'custom',
          message: refusal.message,
          input: name,
          path: [name],
          params: { hint: refusal.hint },
        });
    }
    return lowered;
  });
}

/** A path to a file; the loader makes it absolute. */
export function filePathOption() {
  return textOption(
    (text) =>
      text.trim() !== '' && !text.includes('\0')
        ? { value: text }
        : { message: 'is not a file path', hint: 'write a path, absolute or relative to the configuration file' },
    ['./certificates/api.pem'],
  );
}

/** Reads the methods in front of a route's path; `undefined` as the value means any. */
export function readMethods(text: string): { readonly value: readonly string[] | undefined } | Refusal {
  if (text === '*') return { value: undefined };
  const methods = text.split(',');
  for (const method of methods) {
    if (KNOWN_METHODS.has(method)) continue;
    const near = suggest(method, KNOWN_METHODS);
    const meant = near === undefined ? 'write a method of RFC 9110 or a registered one, or * for any' : `write ${near}`;
    return { message: `${JSON.stringify(method)} is not a method`, hint: meant };
  }
  if (new Set(methods).size < methods.length) return { message: 'names a method twice', hint: 'name each method once' };
  return { value: methods };
}

function refuseField(name: string, value: string, earlier: Readonly<Record<string, string>>): Refusal | undefined {
  if (!isToken(name))
    return { message: 'is not a header field name', hint: 'write letters, digits and -, such as x-api-version' };
  if (isPrototypeKey(name.toLowerCase())) return { message: 'cannot be a key', hint: 'choose another name' };
  if (Object.hasOwn(earlier, name.toLowerCase())) {
    return { message: 'is given twice: case does not count in field names', hint: 'keep one of them' };
  }
  // RFC 9110 §5.5: anything else could end the field and begin another.
  if (FIELD_VALUE.test(value)) return undefined;
  return {
    message: 'has a value with characters a field cannot hold',
    hint: 'write printable ASCII, without a space at either end',
  };
}

function readTarget(text: string): { readonly value: string } | Refusal {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (path.startsWith('/') && path.length > 1 && !path.includes('\0')) return { value: text };
    return { message: 'is not a socket path', hint: 'write unix: and an absolute path, such as unix:/run/app.sock' };
  }
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) {
    return { message: 'is not an upstream target', hint: 'write http://host:port, https://host:port or unix:/path' };
  }
  if (url.username !== '' || url.password !== '') return CREDENTIALS;
  if (url.pathname !== '/' || text.includes('?') || text.includes('#')) {
    return {
      message: 'has a path, query or fragment',
      hint: `write ${url.origin}; the API's \`rewrite\` sets the path the upstream sees`,
    };
  }
  if (url.port === '0') return { message: 'has port 0', hint: 'write the port the upstream listens on' };
  return { value: url.origin };
}

function readHost(text: string): { readonly value: string } | Refusal {
  const host = text.toLowerCase();
  const bare = host.startsWith('*.') ? host.slice(2) : host;
  if (bare.endsWith('.')) return { message: 'ends in a dot', hint: `write ${host.slice(0, -1)}` };
  if (/^.+:\d+$/.test(bare) && isIP(bare) === 0) {
    return { message: 'has a port', hint: `write ${host.replace(/:\d+$/, '')}; the listener's address has the port` };
  }
  if (isIP(bare) === 6) return { message: 'is an IPv6 address without brackets', hint: `write [${bare}]` };
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  if (bracketed !== undefined && isIP(bracketed) === 6) return { value: new URL(`http://${host}`).hostname };
  if (bare.length <= 253 && bare.split('.').every((label) => LABEL.test(label))) {
    if (host !== bare && !bare.includes('.')) {
      return {
        message: 'is a wildcard for a whole top-level domain',
        hint: 'write *. and a domain, such as *.example.com',
      };
    }
    return { value: host };
  }
  return {
    message: 'is not a host name',
    hint: 'write a name such as api.example.com, or *.example.com for every host below it; international names in their xn-- form',
  };
}

const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** CONNECT asks for a tunnel, which this gateway never gives. */
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS.filter((method) => method !== 'CONNECT'));

const FIELD_VALUE = /^(?:[!-~](?:[\t -~]*[!-~])?)?$/;

const WILDCARD: Refusal = { message: 'is a wildcard', hint: 'write each host name out' };

const CREDENTIALS: Refusal = {
  message: 'has credentials in the URL, where logs and process lists would show them',
  hint: 'leave user and password out of the URL',
};
