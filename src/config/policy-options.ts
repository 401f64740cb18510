import type { z } from 'zod';
import type { AuthenticateInput } from '../policies/authenticate/config.ts';
import type { authorizeConfig } from '../policies/authorize/config.ts';
import type { corsConfig } from '../policies/cors/config.ts';
import type { errorMaskingConfig } from '../policies/error-masking/config.ts';
import type { headersConfig } from '../policies/headers/config.ts';
import type { ipAccessConfig } from '../policies/ip-access/config.ts';
import type { requestLimitsConfig } from '../policies/request-limits/config.ts';
import type { securityHeadersConfig } from '../policies/security-headers/config.ts';
import type { upstreamIdentityConfig } from '../policies/upstream-identity/config.ts';

/**
 * The built-in policies' options as TypeScript files write them. The schema itself is made from the registry; a test
 * holds the two together.
 */
export interface PolicyOptions {
  readonly authenticate?: AuthenticateInput;
  readonly authorize?: Setting<typeof authorizeConfig>;
  readonly cors?: Setting<typeof corsConfig>;
  readonly errorMasking?: Setting<typeof errorMaskingConfig>;
  readonly headers?: Setting<typeof headersConfig>;
  readonly ipAccess?: Setting<typeof ipAccessConfig>;
  readonly requestLimits?: Setting<typeof requestLimitsConfig>;
  readonly securityHeaders?: Setting<typeof securityHeadersConfig>;
  readonly upstreamIdentity?: Setting<typeof upstreamIdentityConfig>;
}

/** `false` turns a policy off. */
type Setting<Schema extends z.ZodType> = z.input<Schema> | false;
