import type { ClientFacts, PreparedForm } from '../interaction-contract.ts';
import type { Desk } from './desk.ts';
import { TOKEN_FIELD } from './form-guard.ts';
import type { Visit } from './visit.ts';

/** Where somebody signs in: at an interaction of the protocol, or at the account page. */
export interface SignInPlace {
  /** What forms and sealed facts belong to: those of another place count for nothing here. */
  readonly scope: string;
  /** The path that its forms go to. */
  readonly path: string;
  /** The client that asked; undefined at the account page. */
  readonly client: ClientFacts | undefined;
  /** Further sources of `form-action`. */
  readonly formTargets: readonly string[];
  /** The name to begin with. */
  readonly username: string;
  /** Fields that every form carries along. */
  readonly carried: Readonly<Record<string, string>>;
}

/** A form of ours with what proves that it was ours. */
export function placeForm(
  desk: Desk,
  visit: Visit,
  place: SignInPlace,
  fields: Readonly<Record<string, string>>,
): PreparedForm {
  const csrf = desk.guard.token(visit.browser, place.scope);
  return { action: place.path, fields: { [TOKEN_FIELD]: csrf, ...place.carried, ...fields } };
}

export function cancelOf(desk: Desk, visit: Visit, place: SignInPlace): PreparedForm | undefined {
  return place.client === undefined ? undefined : placeForm(desk, visit, place, { action: 'cancel' });
}
