import { corsPolicy } from './cors/cors.ts';
import { errorMaskingPolicy } from './error-masking/error-masking.ts';
import { headersPolicy } from './headers/headers.ts';
import { ipAccessPolicy } from './ip-access/ip-access.ts';
import type { PolicyDefinition } from './policy.ts';
import { requestLimitsPolicy } from './request-limits/request-limits.ts';
import { securityHeadersPolicy } from './security-headers/security-headers.ts';

/** Every built-in policy. Nothing registers itself; `order.ts` says where each stands on the road. */
export const policies: readonly PolicyDefinition[] = [
  corsPolicy,
  errorMaskingPolicy,
  headersPolicy,
  ipAccessPolicy,
  requestLimitsPolicy,
  securityHeadersPolicy,
];
