import { Problem } from '../errors/problem.ts';
import { StoreUnavailable } from '../stores/stores.ts';

/** Who is calling cannot be found out now, so nobody gets in; anything else is a fault, and the road's to handle. */
export function identityUnavailable(error: unknown): Problem {
  if (error instanceof StoreUnavailable) return new Problem('identity-unavailable', { internal: error.message });
  throw error;
}
