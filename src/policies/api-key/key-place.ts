import type { Exchange } from '../../exchange.ts';
import { takeParameter } from './logic.ts';

/** Where callers put their key. */
export interface KeyPlace {
  /** The key as it was sent, undefined where there is none. */
  readonly read: (exchange: Exchange) => string | typeof MORE_THAN_ONE | undefined;
  /** Takes it out of what the upstream gets. */
  readonly conceal: (exchange: Exchange) => void;
  /** Tells callers of the place, as a parameter of a challenge. */
  readonly parameter: string;
}

/** Two keys in one request: nobody can say on whose behalf it is. */
export const MORE_THAN_ONE = Symbol('more than one key');

export function keyInHeader(name = 'x-api-key'): KeyPlace {
  return {
    read(exchange) {
      const first = exchange.headers.get(name);
      if (first === undefined) return undefined;
      return exchange.headers.all(name).length === 1 ? first : MORE_THAN_ONE;
    },
    conceal(exchange) {
      exchange.upstreamHeaders.remove.push(name);
    },
    parameter: `header="${name}"`,
  };
}

/** The upstream's query is looked through too: where an earlier policy changed it, the key is taken out of what it left. */
export function keyInQuery(name = 'api_key'): KeyPlace {
  return {
    read(exchange) {
      const { values } = takeParameter(exchange.target.query, name);
      return values.length > 1 ? MORE_THAN_ONE : values[0];
    },
    conceal(exchange) {
      exchange.upstreamQuery = takeParameter(exchange.upstreamQuery, name).rest;
    },
    parameter: `query="${name}"`,
  };
}
