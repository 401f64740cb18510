import type { IssuerKeySet } from './services.ts';

/** What a worker may ask the control plane, and what it answers. All of it is structured-cloneable. */
export interface Questions {
  /** With `refresh` the keys are fetched again unless the cool-down of the issuer forbids it. */
  'issuer.keys': {
    readonly facts: { readonly issuer: string; readonly refresh: boolean };
    readonly answer: IssuerKeySet;
  };
  'issuer.introspect': {
    readonly facts: { readonly issuer: string; readonly token: string };
    readonly answer: Readonly<Record<string, unknown>>;
  };
  /** Refreshes the tokens of a session, once for all who ask at a time. The answer: whether the session still stands. */
  'session.refresh': { readonly facts: { readonly id: string }; readonly answer: boolean };
  /** A session was used: its idle time begins anew. The answer: whether it still stands. */
  'session.touch': { readonly facts: { readonly id: string }; readonly answer: boolean };
}

/** The worker's end of the wire to the control plane. */
export interface ControlLink {
  /** Rejects with StoreUnavailable where the control plane could not say, or not in time. */
  ask<Question extends keyof Questions>(
    question: Question,
    facts: Questions[Question]['facts'],
  ): Promise<Questions[Question]['answer']>;
}

/** Whether this process has heard of every change up to a moment ago: only then may what is held of the stores be trusted. */
export interface Freshness {
  isFresh(): boolean;
}
