import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import type { Found, Missing } from './peers/peer.ts';

/** Looks for the npm packages a peer is made of; their versions are joined in the order given. */
export async function findPackages(names: readonly string[]): Promise<Found | Missing> {
  const versions: string[] = [];
  for (const name of names) {
    const version = await versionOfPackage(name);
    if (version === undefined) return { missing: `the npm package ${name} is not installed`, install: 'npm install' };
    versions.push(`${name} ${version}`);
  }
  return { version: versions.join(', ') };
}

async function versionOfPackage(name: string): Promise<string | undefined> {
  let path: string | undefined;
  try {
    path = findPackageJSON(name, import.meta.url);
  } catch {
    return undefined; // it throws where the package cannot be resolved
  }
  if (path === undefined) return undefined;
  const manifest: unknown = JSON.parse(await readFile(path, 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : undefined;
}
