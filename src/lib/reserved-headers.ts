/**
 * Field names that say who somebody is, where he comes from or what the gateway decided. Only the gateway may say so: an
 * upstream cannot tell a client's word from ours, so a listener drops these from every request (attacks 11–13; Caddy
 * GHSA-7r4p-vjf4-gxv4). Fields that carry credentials to be checked (Authorization, Cookie, an API key) are not among them.
 */
export function isReservedHeader(lowerCaseName: string): boolean {
  if (NAMES.has(lowerCaseName)) return true;
  if (EXCEPTIONS.has(lowerCaseName)) return false;
  for (const prefix of PREFIXES) if (lowerCaseName.startsWith(prefix)) return true;
  return false;
}

const NAMES: ReadonlySet<string> = new Set([
  // Where the request comes from, and through what: the gateway writes its own (RFC 7239 and the de-facto fields of CDNs and balancers).
  'forwarded',
  'x-forwarded',
  'forwarded-for',
  'x-real-ip',
  'x-real-port',
  'client-ip',
  'x-client-ip',
  'true-client-ip',
  'x-cluster-client-ip',
  'x-originating-ip',
  'x-proxyuser-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'fastly-client-ip',
  'proxy-client-ip',
  'wl-proxy-client-ip',
  'x-appengine-user-ip',
  'x-host',
  'x-scheme',
  'front-end-https',
  // CGI turns it into HTTP_PROXY, which clients of the upstream obey (CVE-2016-5385).
  'proxy',
  // Another target or method than the one that was matched and authorised.
  'x-original-url',
  'x-original-uri',
  'x-original-path',
  'x-original-host',
  'x-original-method',
  'x-original-forwarded-for',
  'x-original-remote-addr',
  'x-rewrite-url',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  // Who the caller is, as proxies tell the application behind them.
  'x-principal',
  'x-subject',
  'x-groups',
  'x-email',
  'x-roles',
  'x-role',
  'x-jwt',
  'x-anonymous-consumer',
  'x-credential-identifier',
  'x-credential-username',
  'x-goog-iap-jwt-assertion',
  // Client certificates: RFC 9440 and the names of common TLS terminators.
  'client-cert',
  'client-cert-chain',
  'x-client-cert',
  'x-client-dn',
  'x-client-verify',
  'x-arr-clientcert',
  // A framework's note to itself: with it Next.js skips its own authorisation (CVE-2025-29927).
  'x-middleware-subrequest',
]);

const PREFIXES: readonly string[] = [
  // Forwarding, and oauth2-proxy's X-Forwarded-User, -Email, -Groups, -Access-Token.
  'x-forwarded-',
  // Identity as told by authenticating proxies: generic, oauth2-proxy, Authelia, Authentik, Kong, Pomerium, Vouch, Grafana.
  'x-user',
  'x-remote-',
  'remote-',
  'x-auth-request-',
  'x-authenticated-',
  'x-authentik-',
  'x-consumer-',
  'x-pomerium-',
  'x-vouch-',
  'x-webauth-',
  'x-jwt-',
  // Identity as told by the sign-in of clouds and meshes: AWS, Google, Azure, Cloudflare, Tailscale, Envoy.
  'x-amzn-oidc-',
  'x-goog-authenticated-user-',
  'x-ms-client-principal',
  'x-ms-token-',
  'cf-access-',
  'tailscale-',
  'x-envoy-',
  // Facts of TLS and of a client certificate.
  'x-client-cert-',
  'x-ssl-',
  'ssl-client-',
  'x-tls-',
  // Ours.
  'x-sallyport-',
];

/** They begin like an identity and are none: gRPC-Web's User-Agent. */
const EXCEPTIONS: ReadonlySet<string> = new Set(['x-user-agent']);
