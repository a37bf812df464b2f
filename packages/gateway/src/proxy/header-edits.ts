import type { HeaderEdits } from '@portolan/core';
import { fieldLine } from '@portolan/http';
import { EditableFields } from './editable-fields.ts';

/** One change to a head. */
export type HeaderEdit = (fields: EditableFields) => void;

/**
 * The edits of a route or destination, in their order; undefined when there are none. Throws a RangeError for a name or value
 * that no head may carry.
 */
export function compileHeaderEdits(edits: HeaderEdits | undefined): HeaderEdit | undefined {
  if (!edits) return undefined;
  const removed = edits.remove ?? [];
  const set = Object.entries(edits.set ?? {});
  const added = Object.entries(edits.add ?? {});
  if (removed.length + set.length + added.length === 0) return undefined;
  for (const [name, value] of [...set, ...added]) {
    try {
      fieldLine(name, value);
    } catch (cause) {
      throw new RangeError(`"${name}: ${value}" is not a header`, { cause });
    }
  }
  return (fields) => {
    for (const name of removed) fields.remove(name);
    for (const [name, value] of set) fields.set(name, value);
    for (const [name, value] of added) fields.add(name, value);
  };
}

/** Header lines with an edit made. */
export function editLines(lines: string, edit: HeaderEdit | undefined): string {
  if (!edit) return lines;
  const fields = new EditableFields(lines);
  edit(fields);
  return fields.lines;
}
