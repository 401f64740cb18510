import type { HeaderList } from '../../lib/header-list.ts';
import { fieldSet, lowerCaseName } from '../../lib/http-fields.ts';
import { removeFields } from '../remove-fields.ts';
import type { ErrorMaskingConfig } from './config.ts';

/** What one configuration does to the replies of upstreams. */
export interface MaskingPlan {
  readonly isMasked: (status: number) => boolean;
  /** True for a field that no client sees. */
  readonly isHidden: (name: string) => boolean;
  /** True for a field that a masked reply keeps. */
  readonly isKept: (name: string) => boolean;
}

export function maskingPlan(config: ErrorMaskingConfig): MaskingPlan {
  const passed = new Set(config.passStatuses);
  return {
    isMasked: (status) => status >= 500 && !passed.has(status),
    isHidden: fieldPatterns(config.hideHeaders),
    isKept: fieldSet(config.keepHeaders),
  };
}

export function hideFields(plan: MaskingPlan, headers: HeaderList): void {
  removeFields(headers, plan.isHidden);
}

/** Takes out whatever is not known to be harmless: what describes the old body, and whatever else may tell of the inside. */
export function keepFields(plan: MaskingPlan, headers: HeaderList): void {
  removeFields(headers, (name) => !plan.isKept(name));
}

/** What the log says of the reply that was taken out. */
export function describeMasked(status: number, headers: HeaderList): string {
  const facts = [headers.get('content-type'), headers.get('content-length')?.concat(' bytes')];
  const known = facts.filter((fact) => fact !== undefined).map((fact) => fact.slice(0, LONGEST_FACT));
  return `the upstream answered ${status}${known.length === 0 ? '' : ` (${known.join(', ')})`}`;
}

const LONGEST_FACT = 100;

/** Names, and beginnings of names where an entry ends in `*`. */
function fieldPatterns(patterns: readonly string[]): (name: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
  const beginnings = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  return function isMatched(name) {
    const lower = lowerCaseName(name);
    return names.has(lower) || beginnings.some((beginning) => lower.startsWith(beginning));
  };
}
