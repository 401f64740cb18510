import { createHash } from 'node:crypto';

/** Names a session in audit records, principals and listings without being of use as its id. */
export function sessionName(id: string): string {
  return createHash('sha256').update('sallyport session\0').update(id).digest().subarray(0, 16).toString('base64url');
}
