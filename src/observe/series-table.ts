import type { Exchange, RouteFacts } from '../exchange.ts';
import { newSeries, type Series } from './series.ts';

/** The methods that are labels; all others are counted together as the last. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY', 'OTHER'] as const;
const OTHER = METHODS.length - 1;
const PLACES: ReadonlyMap<string, number> = new Map(METHODS.map((method, place) => [method, place]));
/** An upstream may answer with any status: a route with this many series on a listener counts further ones by their class, such as `4xx`. */
const MAX_SERIES_OF_ROUTE = 128;
const NO_ROUTE: RouteFacts = { api: '-', name: '-' };

/** The series that the requests of one configuration add to. */
export class SeriesTable {
  /** By route and by listener, then by method and status in one number: no key has to be made for a request. */
  readonly #series = new Map<RouteFacts, Map<string, Map<number, Series>>>();

  /** The series of an exchange that ended with this status, 0 where it was cut before any. */
  find(exchange: Exchange, status: number): Series {
    const ofRoute = this.#ofRoute(exchange.route ?? NO_ROUTE, exchange.listener.name);
    const place = PLACES.get(exchange.method) ?? OTHER;
    return ofRoute.get(keyOf(place, status)) ?? begin(ofRoute, exchange, place, status);
  }

  *all(): Generator<Series> {
    for (const ofRoute of this.#series.values()) for (const ofListener of ofRoute.values()) yield* ofListener.values();
  }

  #ofRoute(route: RouteFacts, listener: string): Map<number, Series> {
    let byListener = this.#series.get(route);
    if (byListener === undefined) {
      byListener = new Map();
      this.#series.set(route, byListener);
    }
    let series = byListener.get(listener);
    if (series === undefined) {
      series = new Map();
      byListener.set(listener, series);
    }
    return series;
  }
}

function begin(
  ofRoute: Map<number, Series>,
  { route = NO_ROUTE, listener }: Exchange,
  place: number,
  status: number,
): Series {
  const single = ofRoute.size < MAX_SERIES_OF_ROUTE;
  const hundreds = Math.floor(status / 100);
  const key = keyOf(place, single ? status : -hundreds);
  const found =
    ofRoute.get(key) ??
    newSeries({
      listener: listener.name,
      api: route.api,
      route: route.name,
      method: METHODS[place] ?? 'OTHER',
      status: single ? String(status) : `${hundreds}xx`,
    });
  ofRoute.set(key, found);
  return found;
}

/** Unlike for any two pairs; a class of statuses is negative. */
function keyOf(place: number, status: number): number {
  return status * METHODS.length + place;
}
