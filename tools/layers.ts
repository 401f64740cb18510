/** A floor of the house: its rooms may import what lies below, never each other. */
export interface Floor {
  readonly rooms: readonly string[];
  readonly reason: string;
}

/**
 * The rooms of `src/` from the ground up. A room is a folder of `src/` or a file directly in it. Imports go down only,
 * type imports included: what a room needs of a neighbour, `main.ts` or a caller above hands over as a value.
 */
// biome-ignore format: aligned on purpose, one floor a row
export const floors: readonly Floor[] = [
  { rooms: ['lib'],                                        reason: 'tiny pure helpers import nothing of the project' },
  { rooms: ['errors'],                                     reason: 'every room above may answer with a problem' },
  { rooms: ['exchange.ts'],                                reason: 'the one object the whole road shares' },
  { rooms: ['observe', 'stores', 'certificates'],          reason: 'services that know the exchange, but no step of the road' },
  { rooms: ['identity'],                                   reason: 'who is calling: tokens, keys and sessions, on top of the stores' },
  { rooms: ['policies', 'match', 'forward', 'respond'],    reason: 'a step of the road knows no other step' },
  { rooms: ['gateway.ts'],                                 reason: 'puts the steps in their order' },
  { rooms: ['config', 'oauth', 'login', 'admin', 'listen'], reason: 'they make gateways or feed them; each stands alone' },
  { rooms: ['process'],                                    reason: 'threads, reload and drain bring listeners and gateways together' },
  { rooms: ['cli'],                                        reason: 'commands drive everything below' },
  { rooms: ['main.ts', 'index.ts'],                        reason: 'the two doors: the program and the library' },
];

/** File and folder names that say nothing about what is inside. */
export const emptyNames: ReadonlySet<string> = new Set([
  'utils',
  'util',
  'helpers',
  'helper',
  'common',
  'misc',
  'shared',
]);
