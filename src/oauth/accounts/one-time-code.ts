import { Secret, TOTP } from 'otpauth';
import type { Counters } from '../../stores/counters.ts';

/** A new secret of RFC 6238, base32: 160 bits, as RFC 4226 §4 asks. */
export function newTotpSecret(): string {
  return new Secret({ size: 20 }).base32;
}

/** What authenticator apps read from a link or a QR code. */
export function totpUri(facts: { readonly secret: string; readonly title: string; readonly username: string }): string {
  return totpOf(facts.secret, { issuer: facts.title, label: facts.username }).toString();
}

/**
 * Whether a code is right now, or was within the step before, or will be within the next. Each code opens once, over all
 * processes (RFC 6238 §5.2): who looks over a shoulder is too late. Rejects with StoreUnavailable.
 */
export async function takeCode(
  try_: { readonly secret: string; readonly code: string; readonly userId: string; readonly now?: number },
  counters: Counters,
): Promise<boolean> {
  const timestamp = try_.now ?? Date.now();
  const token = try_.code.replaceAll(/\s/g, '');
  if (!/^\d{6}$/.test(token)) return false;
  const delta = totpOf(try_.secret).validate({ token, timestamp, window: 1 });
  if (delta === null) return false;
  const step = Math.floor(timestamp / 1000 / PERIOD) + delta;
  return await counters.once(`totp:${try_.userId}:${step}`, PERIOD * 4_000);
}

/** SHA-1, six digits, thirty seconds: what every authenticator app knows. HMAC does not rest on collisions, which is where SHA-1 is weak. */
function totpOf(secret: string, names: { readonly issuer?: string; readonly label?: string } = {}): TOTP {
  return new TOTP({ ...names, secret: Secret.fromBase32(secret), algorithm: 'SHA1', digits: 6, period: PERIOD });
}

const PERIOD = 30;
