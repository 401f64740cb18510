import { apiKeyMethod } from './api-key/api-key.ts';
import { authenticatePolicy } from './authenticate/authenticate.ts';
import type { AuthenticationMethod } from './authentication-method.ts';
import { authorizePolicy } from './authorize/authorize.ts';
import { clientCertificateMethod } from './client-certificate/client-certificate.ts';
import { corsPolicy } from './cors/cors.ts';
import { errorMaskingPolicy } from './error-masking/error-masking.ts';
import { headersPolicy } from './headers/headers.ts';
import { ipAccessPolicy } from './ip-access/ip-access.ts';
import { loginMethod } from './login/login.ts';
import { oauthMethod } from './oauth/oauth.ts';
import type { PolicyDefinition } from './policy.ts';
import { requestLimitsPolicy } from './request-limits/request-limits.ts';
import { securityHeadersPolicy } from './security-headers/security-headers.ts';
import { upstreamIdentityPolicy } from './upstream-identity/upstream-identity.ts';

/** Every way to authenticate, the alternatives of the `authenticate` policy. */
const authenticationMethods: readonly AuthenticationMethod[] = [
  oauthMethod,
  apiKeyMethod,
  loginMethod,
  clientCertificateMethod,
];

/** Every built-in policy. Nothing registers itself; `order.ts` says where each stands on the road. */
export const policies: readonly PolicyDefinition[] = [
  authenticatePolicy(authenticationMethods),
  authorizePolicy,
  corsPolicy,
  errorMaskingPolicy,
  headersPolicy,
  ipAccessPolicy,
  requestLimitsPolicy,
  securityHeadersPolicy,
  upstreamIdentityPolicy,
];
