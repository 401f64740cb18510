import { isLoopback } from '../lib/network-address.ts';
import { textOption } from './option-types.ts';

/** A secret; `check` finds one that is written into the file instead of being referred to. */
export function secretOption() {
  return textOption(
    (text) =>
      text.length >= MIN_SECRET && text.length <= 4096 && !/\s/.test(text)
        ? { value: text }
        : {
            message: 'is too short or holds blanks',
            hint: `give ${MIN_SECRET} or more random characters, through \${env:NAME} or \${file:/run/secrets/name}`,
          },
    ['${env:CLIENT_SECRET}'],
  );
}

/** A key of 32 random bytes in base64; it parses to the text. */
export function encryptionKeyOption() {
  return textOption(
    (text) =>
      /^[A-Za-z0-9+/_-]{43}=?$/.test(text)
        ? { value: text }
        : {
            message: 'is no key of 32 bytes in base64',
            hint: 'make one with: openssl rand -base64 32',
          },
    ['${env:SALLYPORT_KEY}', '${file:/run/secrets/sallyport-key}'],
  );
}

/** PEM text with certificates. */
export function certificatesOption() {
  return textOption(
    (text) =>
      text.includes('-----BEGIN CERTIFICATE-----')
        ? { value: text }
        : { message: 'holds no certificate', hint: 'refer to a PEM file: ${file:./ca.pem}' },
    ['${file:./ca.pem}'],
  );
}

/** An issuer identifier (RFC 8414 §2): an https URL without query or fragment. Plain http is for this machine alone. It is compared byte for byte, so it parses to itself. */
export function issuerOption() {
  return textOption(
    (text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (url === undefined || !['http:', 'https:'].includes(url.protocol))
        return { message: 'is not an issuer', hint: 'write an https URL, such as https://login.example.com' };
      if (url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, '')) && url.hostname !== 'localhost')
        return { message: 'is an issuer in plain text', hint: 'use https; plain http is for loopback addresses alone' };
      if (url.username !== '' || url.password !== '' || text.includes('?') || text.includes('#'))
        return { message: 'has credentials, a query or a fragment', hint: `write ${url.origin}${url.pathname}` };
      return { value: text };
    },
    ['https://login.example.com', 'https://api.example.com/oauth'],
  );
}

const MIN_SECRET = 16;
