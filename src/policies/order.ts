import type { Phase } from './policy.ts';

export interface PhasePlace {
  readonly phase: Phase;
  readonly reason: string;
}

export interface PolicyPlace {
  readonly phase: Phase;
  /** The policy's name in the configuration file. */
  readonly policy: string;
  readonly reason: string;
}

/** The phases every request passes, first to last, and why each stands where it does. */
// biome-ignore format: aligned on purpose, one phase a row
export const phases: readonly PhasePlace[] = [
  { phase: 'receive',   reason: 'what is too big or malformed costs nothing further' },
  { phase: 'admit',     reason: 'who may knock at all is settled by address and origin, before any credential is looked at' },
  { phase: 'identify',  reason: 'everything below may ask who is calling' },
  { phase: 'authorize', reason: 'a caller without the right uses up no quota and reaches no parser' },
  { phase: 'limit',     reason: 'only callers with the right are counted, each under its own name' },
  { phase: 'validate',  reason: 'bodies are parsed for callers within their limits only' },
  { phase: 'serve',     reason: 'a stored reply goes only to a request that passed everything above' },
  { phase: 'prepare',   reason: 'what the upstream gets is written last, so that nothing before can be misled by it' },
];

/**
 * The built-in policies inside their phases. Replies pass the policies in the opposite order: from the last row to the
 * first. The custom policies of a file come after the built-in ones of their phase, in the order of the file.
 */
// biome-ignore format: aligned on purpose, one policy a row
export const order: readonly PolicyPlace[] = [
  { phase: 'receive', policy: 'securityHeaders', reason: 'last to touch a reply: it fills in what no one before it has said' },
  { phase: 'receive', policy: 'requestLimits',   reason: 'refuses by size and shape alone, the cheapest look there is' },
  { phase: 'admit',   policy: 'ipAccess',        reason: 'an address that may not call is not told which origins may' },
  { phase: 'admit',   policy: 'cors',            reason: 'preflights carry no credentials, so they are answered before anyone asks for them' },
  { phase: 'identify', policy: 'authenticate',   reason: 'one caller, by the first credential that is there; without one nothing below is asked' },
  { phase: 'authorize', policy: 'authorize',     reason: 'rules on scopes and claims, as soon as both are known' },
  { phase: 'prepare', policy: 'upstreamIdentity', reason: 'before the edits of the file, which may build on it' },
  { phase: 'prepare', policy: 'headers',         reason: 'its edits to a reply also reach a masked one' },
  { phase: 'prepare', policy: 'errorMasking',    reason: 'first to see a reply: nothing later handles what the upstream leaked' },
];
