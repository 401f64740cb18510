/** One challenge of a WWW-Authenticate field. Parameters without a value are left out. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string | undefined>>;
}

/**
 * The value of a WWW-Authenticate field (RFC 9110 §11.6.1). Values are quoted strings of printable ASCII: whatever else a value
 * holds is left out, so that none can end the field or begin another (attack 23).
 */
export function challengeField(challenges: readonly Challenge[]): string {
  return challenges.map(challengeText).join(', ');
}

/** Where the metadata of a protected resource stands (RFC 9728 §3.1): the well-known part goes between the host and the path. `path` is absolute. */
export function resourceMetadataPath(path: string): string {
  return path === '/' ? RESOURCE_METADATA : RESOURCE_METADATA + path;
}

/** The URL of that metadata as the client of a request reaches it. */
export function resourceMetadataUrl(at: { readonly scheme: string; readonly authority: string }, path: string): string {
  return `${at.scheme}://${at.authority}${resourceMetadataPath(path)}`;
}

/** The scheme a request authenticates with, in lower case; undefined where it has no Authorization field of the form `scheme token`. */
export function schemeOf(authorization: string | undefined): string | undefined {
  const end = authorization?.indexOf(' ') ?? -1;
  return end > 0 ? authorization?.slice(0, end).toLowerCase() : undefined;
}

function challengeText({ scheme, parameters }: Challenge): string {
  const written = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${quotedContent(value)}"`],
  );
  return written.length === 0 ? scheme : `${scheme} ${written.join(', ')}`;
}

function quotedContent(value: string): string {
  return value.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&');
}

const RESOURCE_METADATA = '/.well-known/oauth-protected-resource';
