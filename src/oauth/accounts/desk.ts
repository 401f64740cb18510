import type { AuditEvent, AuditType } from '../../stores/audit.ts';
import type { InteractionParts } from '../interaction-contract.ts';
import { createLook, type Look } from '../screens/page.ts';
import { createFormGuard, type FormGuard } from './form-guard.ts';
import type { RelyingParty } from './passkeys.ts';
import { type Places, placesOf } from './places.ts';
import { createSeal, type Seal } from './sealed.ts';
import { createThrottle, type Throttle } from './throttle.ts';
import type { UpstreamProvider } from './upstream-provider.ts';
import type { Visit } from './visit.ts';

/** What everyone who answers a person here works with. */
export interface Desk {
  readonly parts: InteractionParts;
  readonly look: Look;
  readonly places: Places;
  readonly guard: FormGuard;
  readonly seal: Seal;
  readonly throttle: Throttle;
  /** Undefined where people have accounts here. */
  readonly upstream: UpstreamProvider | undefined;
  /** Undefined where the issuer's host is an address: there are no passkeys for those. */
  readonly relyingParty: RelyingParty | undefined;
}

export interface DeskOptions {
  /** The name over every page. */
  readonly title: string;
  readonly upstream: UpstreamProvider | undefined;
}

export function createDesk(parts: InteractionParts, options: DeskOptions): Desk {
  const places = placesOf(parts.issuer);
  return {
    parts,
    look: createLook({ title: options.title, issuer: parts.issuer }),
    places,
    guard: createFormGuard(parts.cookieSecret, places),
    seal: createSeal(parts.cookieSecret, parts.issuer),
    throttle: createThrottle(parts.counters, parts.cookieSecret),
    upstream: options.upstream,
    relyingParty: places.rpId === undefined ? undefined : { origin: places.origin, rpId: places.rpId },
  };
}

/** The audit event of something a person did or tried on this visit. */
export function userEvent(
  visit: Visit,
  event: {
    readonly type: AuditType;
    readonly userId: string | undefined;
    readonly byUser: boolean;
    readonly detail: NonNullable<AuditEvent['detail']>;
  },
): AuditEvent {
  const who = event.userId === undefined ? '' : `user:${event.userId}`;
  return {
    type: event.type,
    actor: event.byUser ? who : 'anonymous',
    subject: who,
    address: visit.address,
    ...(visit.requestId === undefined ? {} : { requestId: visit.requestId }),
    detail: event.detail,
  };
}
