import type { HeaderList } from '../../lib/header-list.ts';
import { fieldSet } from '../../lib/http-fields.ts';
import { removeFields } from '../remove-fields.ts';
import type { SecurityHeadersConfig } from './config.ts';

/** What one configuration does to replies. */
export interface SecurityHeadersPlan {
  /** The value of Strict-Transport-Security; undefined leaves the upstream's word. */
  readonly strictTransportSecurity: string | undefined;
  readonly noSniff: boolean;
  /** Fields for replies that do not have them. */
  readonly defaults: readonly DefaultField[];
  readonly framing: { readonly frameOptions: string; readonly policy: string } | undefined;
  readonly isHidden: (name: string) => boolean;
}

interface DefaultField {
  readonly name: string;
  readonly lowerName: string;
  readonly value: string;
}

export function securityHeadersPlan(config: SecurityHeadersConfig): SecurityHeadersPlan {
  return {
    strictTransportSecurity: transportSecurity(config.strictTransportSecurity),
    noSniff: config.noSniff,
    defaults: [
      ...defaultField('Content-Security-Policy', config.contentSecurityPolicy),
      ...defaultField('Referrer-Policy', config.referrerPolicy),
      ...defaultField('Cross-Origin-Resource-Policy', config.crossOriginResourcePolicy),
      ...defaultField('Permissions-Policy', config.permissionsPolicy),
    ],
    framing: config.frameAncestors === false ? undefined : FRAMING[config.frameAncestors],
    isHidden: fieldSet(config.hideHeaders),
  };
}

/** Edits the head of a reply. `pinned`: browsers may be told to use HTTPS only for its host. */
export function secureHead(plan: SecurityHeadersPlan, pinned: boolean, headers: HeaderList): void {
  removeFields(headers, plan.isHidden);
  if (plan.strictTransportSecurity !== undefined) {
    if (pinned) headers.set('Strict-Transport-Security', plan.strictTransportSecurity);
    else headers.remove('strict-transport-security');
  }
  if (plan.noSniff) headers.set('X-Content-Type-Options', 'nosniff');
  for (const field of plan.defaults) {
    if (!headers.has(field.lowerName)) headers.append(field.name, field.value);
  }
  if (plan.framing !== undefined && !speaksOfFraming(headers)) {
    headers.append('X-Frame-Options', plan.framing.frameOptions);
    // A second policy beside the upstream's: browsers hold a page to each of them (CSP Level 3 §8.1).
    headers.append('Content-Security-Policy', plan.framing.policy);
  }
}

/**
 * Whether a reply may pin its host to HTTPS. Never over plain HTTP (RFC 6797 §7.2), and never for localhost, where the
 * pin would hold for whatever else runs on that machine, on every port.
 */
export function mayPin(scheme: string, host: string): boolean {
  return scheme === 'https' && host !== 'localhost' && !host.endsWith('.localhost');
}

function transportSecurity(config: SecurityHeadersConfig['strictTransportSecurity']): string | undefined {
  if (config === false) return undefined;
  const seconds = Math.floor(config.maxAge / 1000);
  return `max-age=${seconds}${config.includeSubDomains ? '; includeSubDomains' : ''}${config.preload ? '; preload' : ''}`;
}

function defaultField(name: string, value: string | false): readonly DefaultField[] {
  return value === false ? [] : [{ name, lowerName: name.toLowerCase(), value }];
}

/** Old browsers read X-Frame-Options, others prefer frame-ancestors: where either is there, the upstream has decided. */
function speaksOfFraming(headers: HeaderList): boolean {
  return (
    headers.has('x-frame-options') ||
    headers.all('content-security-policy').some((policy) => FRAME_ANCESTORS.test(policy))
  );
}

const FRAME_ANCESTORS = /(?:^|[;,])\s*frame-ancestors(?:\s|$|[;,])/i;

const FRAMING = {
  none: { frameOptions: 'DENY', policy: "frame-ancestors 'none'" },
  self: { frameOptions: 'SAMEORIGIN', policy: "frame-ancestors 'self'" },
} as const;
