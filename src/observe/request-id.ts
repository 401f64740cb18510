import { randomBytes } from 'node:crypto';

const PREFIX_BYTES = 9;
let prefix = '';
let counter = 0;

/**
 * An id no other request has: 72 random bits of this thread, renewed every 16 million requests, and a counter.
 * It names a request in logs and replies and is no secret. 12 + 5 URL-safe characters.
 */
export function newRequestId(): string {
  if (counter === 0) prefix = randomBytes(PREFIX_BYTES).toString('base64url');
  counter = (counter + 1) & 0xff_ffff;
  return prefix + (counter + 0x100_0000).toString(36);
}

/** Whether an id from a trusted proxy may be kept: it goes into replies and logs. */
export function acceptableRequestId(value: string): boolean {
  return /^[A-Za-z0-9._~-]{8,128}$/.test(value);
}
