import { catalogue, type ProblemCode } from './catalogue.ts';

/** Whose fault a problem is: it decides the log level and what an operator looks at first. */
export type Blame = 'client' | 'upstream' | 'gateway' | 'store';

/**
 * A denial or failure as a client may see it (RFC 9457). Policies return it; they do not throw it.
 * Everything here except `internal` is public; `internal` goes to the log under the request's id.
 */
export class Problem {
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  /** One public sentence on this occurrence; undefined where the title says enough. */
  readonly detail: string | undefined;
  readonly blame: Blame;
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean;
  /** Fields the reply carries besides the body, as a flat name-value list. */
  readonly headers: readonly string[];
  /** For the log only. */
  readonly internal: string | undefined;

  constructor(code: ProblemCode, occurrence: Occurrence = {}) {
    const entry = catalogue[code];
    this.code = code;
    this.status = entry.status;
    this.title = entry.title;
    this.detail = occurrence.detail;
    this.blame = entry.blame;
    this.retryable = entry.retryable;
    this.headers = occurrence.headers ?? NO_HEADERS;
    this.internal = occurrence.internal;
  }

  /** The `type` member: a stable URI for the kind of problem, explained in docs/problems.md. */
  get type(): string {
    return `urn:problem-type:sallyport:${this.code}`;
  }
}

export interface Occurrence {
  readonly detail?: string;
  readonly headers?: readonly string[];
  readonly internal?: string;
}

const NO_HEADERS: readonly string[] = Object.freeze([]);
