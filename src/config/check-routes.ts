import type { ConfigParts } from './parse.ts';
import type { Findings } from './semantic.ts';
export function checkRoutes(_parts: ConfigParts, _findings: Findings): void {}
