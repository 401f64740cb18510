import type { ModuleFile } from './module-file.ts';

export interface RoomPlace {
  readonly rank: number;
  /** A folder of src/, or a file directly in it. */
  readonly room: string;
  readonly reason: string;
}

/** The rooms of src/, lowest first. A file may import its own room and rooms of a lower rank, nothing else. */
// biome-ignore format: aligned on purpose, one room a row
export const rooms: readonly RoomPlace[] = [
  { rank: 0, room: 'lib',          reason: 'pure helpers that know nothing of the project' },
  { rank: 1, room: 'errors',       reason: 'the catalogue of problems, which every room above may answer with' },
  { rank: 2, room: 'exchange.ts',  reason: 'the request every later room looks at' },
  { rank: 3, room: 'observe',      reason: 'logs, metrics and traces describe an exchange; they decide nothing' },
  { rank: 3, room: 'stores',       reason: 'keeps records; it does not know what for' },
  { rank: 3, room: 'certificates', reason: 'keeps certificates; it does not know who serves them' },
  { rank: 4, room: 'policies',     reason: 'a step of the road, blind to the other steps' },
  { rank: 4, room: 'match',        reason: 'a step of the road, blind to the other steps' },
  { rank: 4, room: 'forward',      reason: 'a step of the road, blind to the other steps' },
  { rank: 4, room: 'respond',      reason: 'a step of the road, blind to the other steps' },
  { rank: 5, room: 'gateway.ts',   reason: 'the road itself: the steps in their order' },
  { rank: 6, room: 'config',       reason: 'builds a gateway out of a file' },
  { rank: 6, room: 'oauth',        reason: 'an internal app, reached through the road' },
  { rank: 6, room: 'admin',        reason: 'an internal app, reached through the road' },
  { rank: 6, room: 'listen',       reason: 'puts requests on the road' },
  { rank: 7, room: 'process',      reason: 'runs the planes: supervisor and workers' },
  { rank: 8, room: 'cli',          reason: 'commands over everything below' },
  { rank: 9, room: 'main.ts',      reason: 'the composition root: the only file that knows everything' },
  { rank: 9, room: 'index.ts',     reason: 'the public surface of the library, nothing but re-exports by name' },
];

export interface Exemption {
  readonly file: string;
  readonly reason: string;
}

/** Files that may import what only run time knows. */
// biome-ignore format: aligned on purpose, one file a row
export const computedImports: readonly Exemption[] = [
  { file: 'src/config/typescript-source.ts', reason: "runs the user's own configuration file" },
];

/** The one file of src/policies/ that may import the policies beside it. */
export const POLICY_REGISTRY = 'src/policies/registry.ts';

/** The only file of src/ that may import what lies outside of it: package.json, for the version. */
export const COMPOSITION_ROOT = 'src/main.ts';

export const LIBRARY_SURFACE = 'src/index.ts';

export function placeOf(file: ModuleFile): RoomPlace | undefined {
  return rooms.find((place) => place.room === file.room);
}
