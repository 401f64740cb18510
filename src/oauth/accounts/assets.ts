import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Look } from '../screens/page.ts';

/** Serves a script of our pages by its exact name; false for any other. */
export function serveAsset(
  look: Look,
  request: { readonly req: IncomingMessage; readonly res: ServerResponse; readonly name: string },
): boolean {
  const { req, res, name } = request;
  const asset = look.assets.find((one) => one.name === name);
  if (asset === undefined || (req.method !== 'GET' && req.method !== 'HEAD')) return false;
  res.writeHead(200, {
    'content-type': asset.contentType,
    'content-length': asset.body.length,
    // The name changes with the content.
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': "default-src 'none'",
  });
  res.end(req.method === 'HEAD' ? undefined : asset.body);
  return true;
}
