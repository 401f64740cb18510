import type { HeaderList } from '../../lib/header-list.ts';
import { fieldSet } from '../../lib/http-fields.ts';
import { removeFields } from '../remove-fields.ts';
import type { Field } from './config.ts';

/** The edits of one direction. */
export interface FieldEdits {
  readonly set: readonly Field[];
  /** Lower case. */
  readonly remove: readonly string[];
}

export function hasEdits(edits: FieldEdits): boolean {
  return edits.set.length > 0 || edits.remove.length > 0;
}

/** Makes the function that edits a list of fields: first it removes, then it sets, so that a field in both is set. */
export function fieldEditor(edits: FieldEdits): (headers: HeaderList) => void {
  const isRemoved = fieldSet(edits.remove);
  return function editFields(headers) {
    if (edits.remove.length > 0) removeFields(headers, isRemoved);
    for (const { name, value } of edits.set) headers.set(name, value);
  };
}
