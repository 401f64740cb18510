import { textOption } from './option-types.ts';

/** A secret of so many characters or more; `check` finds one that is written into the file instead of being referred to. */
export function secretOption(shortest = MIN_SECRET) {
  return textOption(
    (text) =>
      text.length >= shortest && text.length <= 4096 && !/\s/.test(text)
        ? { value: text }
        : {
            message: 'is too short or holds blanks',
            hint: `give ${shortest} or more random characters, through \${env:NAME} or \${file:/run/secrets/name}`,
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

const MIN_SECRET = 16;
